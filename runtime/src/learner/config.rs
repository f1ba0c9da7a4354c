//! Settings of the learner.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::LearnerError;
use super::gate::GateConfig;
use super::mixer::MixerConfig;
use super::pace::PaceConfig;
use super::replay::ReplayConfig;
use super::rollback::RollbackConfig;

/// Settings of the learner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnerConfig {
    /// What is remembered.
    pub replay: ReplayConfig,
    /// How the shadow copy is trained.
    pub update: UpdateConfig,
    /// Which objective an update follows.
    pub mixer: MixerConfig,
    /// When a candidate becomes the next generation.
    pub gate: GateConfig,
    /// When a generation is taken back.
    pub rollback: RollbackConfig,
    /// Which generations are kept, and where.
    pub generations: GenerationsConfig,
    /// How much of the machine the learner's thread may use.
    pub pace: PaceConfig,
}

/// How the shadow copy is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdateConfig {
    /// Moments per update. 16 by default.
    pub batch: u32,
    /// Updates before a candidate is taken and judged. 50 by default.
    pub per_candidate: u32,
    /// Ticks in a training window, the anchor included; raised to what an objective looks ahead.
    /// The policy's horizon is a good value. 10 by default.
    pub window: u32,
    /// Training windows that there must be before the first update. 200 by default.
    pub first_windows: u32,
    /// Most updates per recorded tick: a robot that stands still is not learned by heart.
    /// 2 by default.
    pub max_per_tick: f64,
    /// Candidates rejected in a row for their loss before the shadow copy goes back to the
    /// generation in force. 4 by default; 0 goes back each time.
    pub patience: u32,
    /// Updates refused in a row (not finite, or unfit batches) before the shadow copy goes back.
    /// 3 by default.
    pub refusals: u32,
}

impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            batch: 16,
            per_candidate: 50,
            window: 10,
            first_windows: 200,
            max_per_tick: 2.0,
            patience: 4,
            refusals: 3,
        }
    }
}

/// Which generations are kept, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GenerationsConfig {
    /// Folder for the generations; each policy gets its own folder inside. Without one they live
    /// in memory and end with the process.
    pub folder: Option<PathBuf>,
    /// Generations whose weights are kept, besides the one trained offline, the one in force, its
    /// parent and a pinned one. 4 by default.
    pub keep: u32,
    /// Records of older generations (without weights) that are kept. 200 by default.
    pub history: u32,
}

impl Default for GenerationsConfig {
    fn default() -> Self {
        Self {
            folder: None,
            keep: 4,
            history: 200,
        }
    }
}

impl LearnerConfig {
    /// Checks all ranges.
    ///
    /// # Errors
    /// Names the first setting that cannot be used.
    pub fn validate(&self) -> Result<(), LearnerError> {
        positive("update.batch", self.update.batch)?;
        positive("update.per_candidate", self.update.per_candidate)?;
        positive("update.window", self.update.window)?;
        if self.update.max_per_tick.is_nan() || self.update.max_per_tick <= 0.0 {
            return Err(refuse("update.max_per_tick", "must be above zero"));
        }
        self.replay.validate()?;
        self.gate.validate()?;
        self.rollback.validate()?;
        self.mixer.validate()?;
        self.pace.validate()
    }
}

pub(super) fn positive(field: &'static str, value: u32) -> Result<(), LearnerError> {
    if value == 0 {
        return Err(refuse(field, "must be at least 1"));
    }
    Ok(())
}

pub(super) fn within(
    field: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<(), LearnerError> {
    if !(low..=high).contains(&value) {
        return Err(refuse(field, &format!("{value} is not in [{low}, {high}]")));
    }
    Ok(())
}

pub(super) fn refuse(field: &'static str, reason: &str) -> LearnerError {
    LearnerError::Config {
        field,
        reason: reason.to_owned(),
    }
}
