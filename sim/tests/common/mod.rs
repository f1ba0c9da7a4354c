//! What tests need to act in the world through its public interface.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use cerebellum_kinematics::{Pose, TcpServo};
use cerebellum_sim::render::{Geometry, Shape};
use cerebellum_sim::{
    Color, Episode, EpisodeConfig, Expert, Outcome, ROTATION_SCALE, Split, TRANSLATION_SCALE, Task,
};
use glam::{DQuat, DVec3};

/// An episode and the servo that moves its arm.
pub struct Rig {
    pub episode: Episode,
    pub servo: TcpServo,
}

impl Rig {
    pub fn new(task: Task, split: Split, seed: u64) -> Self {
        Self::with(&EpisodeConfig::new(task, split, seed).blind())
    }

    pub fn with(config: &EpisodeConfig) -> Self {
        let episode = Episode::new(config).unwrap();
        let mut servo = TcpServo::new(episode.robot().clone());
        servo.reset(episode.commanded());
        Self { episode, servo }
    }

    pub fn apply(&mut self, action: [f32; 7]) -> Outcome {
        let [x, y, z, u, v, w, gripper] = action.map(f64::from);
        let translation = DVec3::new(x, y, z) * TRANSLATION_SCALE;
        let rotation = DVec3::new(u, v, w) * ROTATION_SCALE;
        let step = self.servo.advance(translation, rotation, gripper > 0.0);
        self.episode.step(&step.joints).unwrap()
    }

    pub fn expert(&mut self) -> Outcome {
        self.apply(Expert.act(&self.episode))
    }

    /// The same action for some ticks.
    pub fn repeat(&mut self, ticks: u32, action: [f32; 7]) {
        for _ in 0..ticks {
            self.apply(action);
        }
    }

    /// Moves the tool straight to `position`, pointing down, with the gripper closed or open.
    pub fn go(&mut self, position: DVec3, open: bool) -> Outcome {
        let down = DQuat::from_rotation_x(std::f64::consts::PI);
        let target = Pose::new(position, down);
        for _ in 0..60 {
            let (translation, rotation) = self.servo.target().difference(&target);
            let arrived = self.episode.tool().position.distance(position) < 2e-3;
            if self.episode.outcome().is_over() || arrived {
                break;
            }
            let step = self.servo.advance(
                translation.clamp_length_max(0.018),
                rotation.clamp_length_max(0.1),
                open,
            );
            self.episode.step(&step.joints).unwrap();
        }
        self.episode.outcome()
    }

    /// Positions of what has this shape and fits.
    pub fn find(&self, fits: impl Fn(&Shape) -> bool) -> Vec<DVec3> {
        let scene = self.episode.scene();
        let found = scene.shapes.iter().filter(|shape| fits(shape));
        found.map(|shape| shape.position.as_dvec3()).collect()
    }

    /// The color that the instruction names first.
    pub fn named(&self) -> Color {
        let text = self.episode.instruction();
        let mut named: Vec<(usize, Color)> = Color::ALL
            .into_iter()
            .filter_map(|color| Some((text.find(color.name())?, color)))
            .collect();
        named.sort_unstable_by_key(|(place, _)| *place);
        named.first().expect("a color in the instruction").1
    }

    /// Where the block of this color is.
    pub fn block(&self, color: Color) -> DVec3 {
        let found = self.find(|shape| {
            let cube = matches!(shape.geometry, Geometry::Cuboid { half } if half.x == 0.02 && half.z == 0.02);
            cube && shape.material.color == color.linear()
        });
        *found.first().expect("a block of that color")
    }
}
