//! Learns on the robot, beside the control loop, and can only help.
//!
//! ```text
//! records ──► Replay ──► OnlineModel::step (shadow copy) ──► candidate ──► gate ──► Generations
//!                │                                                          ▲            │
//!                └── newest experience, held back ──────────────────────────┘            ▼
//!                └── experience since then ──► Monitor ──► taken back            WeightSlot
//! ```
//!
//! - [`Replay`] remembers recent experience within a byte bound and keeps the newest part for
//!   judging ([`Window`]s never cross episodes or goals).
//! - [`Mixer`] says which self-supervised objective is next.
//! - [`judge`] accepts a candidate only if it is better by more than chance on experience that
//!   it has not seen, and acts nearly like the generation in force and like the one trained
//!   offline.
//! - [`Generations`] numbers what was accepted and survives a power cut; [`Monitor`] says when a
//!   generation is to be taken back.
//! - [`LearnerCore`] is the whole as a deterministic machine of small steps, for lockstep;
//!   [`LearnerThread`] runs one in the slack that inference leaves.
//!
//! Nothing here can stop the robot: the learner has its own copy of the model, is fed by a queue
//! that drops, and says what it has to say through a slot that inference reads between plans. If it
//! fails it is off, by name, and the generation in force stays.

mod archive;
mod compute;
mod config;
mod core;
mod error;
mod files;
mod gate;
mod generations;
mod mixer;
mod pace;
mod paired;
mod probes;
mod record;
mod replay;
mod rollback;
mod segment_file;
mod shift;
mod spill;
mod stats;
mod step;
mod thread;
mod trial;
mod weights;

#[cfg(test)]
mod testing;

pub use self::compute::StepBack;
pub use self::config::{GenerationsConfig, LearnerConfig, UpdateConfig};
pub use self::core::LearnerCore;
pub use self::error::LearnerError;
pub use self::gate::{
    Evidence, GateConfig, Judgement, Losses, Rejection, TrustRegion, judge, relative_gains,
};
pub use self::generations::{GenerationRecord, Generations, Standing};
pub use self::mixer::{Followed, MixRule, Mixer, MixerConfig, ObjectiveWeight};
pub use self::pace::{Admission, Pace, PaceConfig};
pub use self::paired::{Paired, paired_test, student_above};
pub use self::record::Record;
pub use self::replay::{Replay, ReplayConfig, ReplayStats, Window};
pub use self::rollback::{Monitor, RollbackConfig, Trigger};
pub use self::shift::{ActionMetric, Shift, ShiftMeter};
pub use self::stats::LearnerStats;
pub use self::step::{Did, MicroStep, StepKind, Wait};
pub use self::thread::{
    ExperienceSource, Feedback, FeedbackSource, LearnerIo, LearnerState, LearnerThread, ReportSink,
};
pub use self::weights::fingerprint;
