//! What can be shown.

use std::mem::size_of;

use cerebellum_messages::{
    ActionChunk, Command, EpisodeStatus, Frame, Goal, GoalSpec, JointState, LatentSample,
    LearnerReport, RuntimeStatus, Stamp, Tick,
};

/// Something to show.
#[derive(Clone, Debug)]
pub enum Event {
    /// An image.
    Frame(Frame),
    /// Measured joints.
    Joints(JointState),
    /// What was sent to the robot.
    Command(Command),
    /// The action executed in this tick, in the policy's action space.
    Action(Vec<f32>),
    /// A plan.
    Chunk(ActionChunk),
    /// A vector out of the policy.
    Latent(LatentSample),
    /// An update of the learner or its verdict on a candidate.
    Learner(LearnerReport),
    /// A new goal.
    Goal(Goal),
    /// How the runtime is.
    Status(RuntimeStatus),
    /// Where an episode stands.
    Episode(EpisodeStatus),
    /// How a tick of the control loop went.
    Timing(Timing),
    /// One point of any other curve over ticks; the name may have parts joined by `/`.
    Scalar {
        /// Name of the curve.
        name: String,
        /// The value.
        value: f64,
    },
    /// One point of a curve of offline training.
    Training {
        /// Name of the curve, for example `loss`.
        name: String,
        /// Optimizer step.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A line for the log.
    Text(String),
}

/// How a tick of the control loop went. Microseconds; NaN where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    /// Time left over at the end of the tick.
    pub slack_us: f64,
    /// How late the tick began.
    pub jitter_us: f64,
    /// Age of the oldest part of the newest observation.
    pub observation_age_us: f64,
    /// How long the last plan took.
    pub inference_us: f64,
    /// Actions left in the plan.
    pub actions_left: f64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            slack_us: f64::NAN,
            jitter_us: f64::NAN,
            observation_age_us: f64::NAN,
            inference_us: f64::NAN,
            actions_left: f64::NAN,
        }
    }
}

/// When something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Control tick.
    pub tick: Option<Tick>,
    /// Time on the robot's clock.
    pub stamp: Option<Stamp>,
}

impl Moment {
    /// A tick of the control loop and its time.
    pub const fn new(tick: Tick, stamp: Stamp) -> Self {
        Self {
            tick: Some(tick),
            stamp: Some(stamp),
        }
    }

    /// This, completed by `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            tick: self.tick.or(other.tick),
            stamp: self.stamp.or(other.stamp),
        }
    }
}

impl Event {
    /// When the event happened, as far as it says so itself.
    pub fn moment(&self) -> Moment {
        let (tick, stamp) = match self {
            Self::Frame(frame) => (None, Some(frame.stamp)),
            Self::Joints(joints) => (None, Some(joints.stamp)),
            Self::Command(command) => (None, Some(command.stamp)),
            Self::Chunk(chunk) => (Some(chunk.observed), Some(chunk.stamp)),
            Self::Latent(latent) => (Some(latent.tick), Some(latent.stamp)),
            Self::Learner(report) => (None, Some(report.stamp)),
            Self::Status(status) => (Some(status.tick), Some(status.stamp)),
            Self::Episode(status) => (None, Some(status.stamp)),
            Self::Action(_)
            | Self::Goal(_)
            | Self::Timing(_)
            | Self::Scalar { .. }
            | Self::Training { .. }
            | Self::Text(_) => (None, None),
        };
        Moment { tick, stamp }
    }

    /// Bytes that the event keeps in memory, about.
    pub fn bytes(&self) -> usize {
        let content = match self {
            Self::Frame(frame) => frame.data.len(),
            Self::Joints(joints) => {
                let numbers = joints.position.len() + joints.velocity.len() + joints.effort.len();
                numbers * size_of::<f64>() + joints.names.len() * 32
            }
            Self::Command(command) => command.joint_names.len() * 48,
            Self::Action(values) => values.len() * size_of::<f32>(),
            Self::Chunk(chunk) => chunk.actions.len() * size_of::<f32>(),
            Self::Latent(latent) => latent.values.len() * size_of::<f32>(),
            Self::Goal(goal) => match &goal.spec {
                GoalSpec::Language { text } => text.len(),
                GoalSpec::Image { frame } => frame.data.len(),
                GoalSpec::State { values } => values.len() * size_of::<f32>(),
                GoalSpec::Reward { states, rewards } => {
                    (states.len() + rewards.len()) * size_of::<f32>()
                }
                GoalSpec::Concept { ids } => ids.len() * size_of::<u32>(),
            },
            Self::Text(text) => text.len(),
            Self::Learner(_)
            | Self::Status(_)
            | Self::Episode(_)
            | Self::Timing(_)
            | Self::Scalar { .. }
            | Self::Training { .. } => 128,
        };
        content + size_of::<Self>()
    }
}
