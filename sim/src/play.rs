//! Play: the hand goes about the table without a task.
//!
//! Segments of a few seconds at most follow each other, drawn at random: reaching to anywhere,
//! sweeping low over the table (which pushes what is there), opening and closing the gripper, and
//! using whatever stands on the table (grasping, pulling, pressing) for a while that may be too
//! short for it. Nothing is rewarded, and nobody says what any of it was for.

use cerebellum_kinematics::{Pose, TcpServo};
use glam::DVec3;
use rand_chacha::ChaCha8Rng;

use crate::demonstrate::{Demonstration, Step};
use crate::expert::{Hand, Phase, TRAVEL, Wish, drive, facing};
use crate::random::{Stream, between, chance, generator, index, normal};
use crate::{Episode, EpisodeConfig, SimError};

/// Where the hand goes (m): forwards, sideways and up.
const REACH: [[f64; 2]; 3] = [[0.28, 0.62], [-0.28, 0.28], [0.03, 0.32]];
/// Heights of sweeps over the table (m).
const LOW: [f64; 2] = [0.012, 0.05];
/// Greatest turn of the hand about the vertical (rad).
const TURN: f64 = 0.6;
/// Standard deviation of noise on every action.
const TREMOR: f64 = 0.08;

/// What is being played at.
#[derive(Clone, Copy, Debug)]
enum Segment {
    /// Go to a pose, with the gripper open or closed.
    Reach(Pose, bool),
    /// Use what stands on the table.
    Use,
}

/// Plays with the things of an episode for some ticks; whether its task happens to be done plays no
/// part. The actions are those that were executed.
///
/// # Errors
/// The episode cannot be set up, or the physics diverged.
pub fn play(config: &EpisodeConfig, ticks: usize) -> Result<Demonstration, SimError> {
    let mut episode = Episode::endless(config)?;
    let mut servo = TcpServo::new(episode.robot().clone());
    servo.reset(episode.commanded());
    let mut rng = generator(config.task, config.split, config.seed, Stream::Play);
    let mut segment = Segment::Use;
    let mut left = 0;
    let mut steps = Vec::with_capacity(ticks);
    for _ in 0..ticks {
        let hand = episode.hand();
        if left == 0 || segment.is_done(&hand) {
            (segment, left) = draw(&hand, &mut rng);
        }
        left -= 1;
        let wish = match segment {
            Segment::Reach(pose, open) => Wish {
                pose,
                open,
                speed: TRAVEL,
                phase: Phase::Approach,
            },
            Segment::Use => episode.guide(&hand),
        };
        let mut action = wish.action(&hand);
        for value in &mut action[..6] {
            *value = (*value + (TREMOR * normal(&mut rng)) as f32).clamp(-1.0, 1.0);
        }
        let observation = episode.observe()?;
        let step = drive(&mut servo, action.map(f64::from));
        steps.push(Step {
            observation,
            action,
            phase: wish.phase,
        });
        episode.step(&step.joints)?;
    }
    Ok(Demonstration {
        config: config.clone(),
        instruction: String::new(),
        outcome: episode.outcome(),
        steps,
        last: episode.observe()?,
    })
}

impl Segment {
    fn is_done(self, hand: &Hand) -> bool {
        match self {
            Self::Reach(pose, _) => {
                let (way, turn) = hand.commanded.difference(&pose);
                way.length() < 0.005 && turn.length() < 0.05
            }
            Self::Use => false,
        }
    }
}

/// Draws what comes next and the most ticks that it may take.
fn draw(hand: &Hand, rng: &mut ChaCha8Rng) -> (Segment, usize) {
    let [x, y, z] = REACH;
    let [x, y] = [x, y].map(|[low, high]| between(rng, low, high));
    let yaw = between(rng, -TURN, TURN);
    let open = chance(rng, 0.6);
    let pose = |z| Pose::new(DVec3::new(x, y, z), facing(yaw));
    let ticks = 1 + index(rng, 50);
    let drawn = between(rng, 0.0, 1.0);
    match drawn {
        ..0.4 => (Segment::Reach(pose(between(rng, z[0], z[1])), open), ticks),
        ..0.6 => (
            Segment::Reach(pose(between(rng, LOW[0], LOW[1])), open),
            ticks,
        ),
        // The gripper alone.
        ..0.7 => (Segment::Reach(hand.commanded, open), 1 + index(rng, 8)),
        _ => (Segment::Use, ticks),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;
    use crate::{Split, Task};

    #[test]
    fn equal_seeds_play_alike_and_play_goes_on_after_the_task() {
        let config = EpisodeConfig::new(Task::PressButton, Split::Train, 5).blind();
        let first = play(&config, 160).unwrap();
        assert_eq!(first, play(&config, 160).unwrap());
        assert_eq!(first.steps.len(), 160);
        assert_eq!(first.instruction, "");
        let other = EpisodeConfig { seed: 6, ..config };
        assert_ne!(first.steps[80], play(&other, 160).unwrap().steps[80]);
        let numbers = first.steps.iter().flat_map(|step| step.action);
        assert!(numbers.into_iter().all(|value| value.abs() <= 1.0));
    }

    #[test]
    fn the_hand_gets_about() {
        let mut least = DVec3::INFINITY;
        let mut most = DVec3::NEG_INFINITY;
        for (seed, task) in (0..).zip(Task::ALL) {
            let config = EpisodeConfig::new(task, Split::Train, seed).blind();
            for step in play(&config, 200).unwrap().steps {
                let place = DVec3::from(step.observation.tcp.unwrap().position);
                (least, most) = (least.min(place), most.max(place));
            }
        }
        let span = most - least;
        assert!(span.x > 0.25 && span.y > 0.4 && span.z > 0.2, "{span}");
    }
}
