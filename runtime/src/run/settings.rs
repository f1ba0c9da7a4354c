//! Configuration of a run: a TOML file, overridden by flags.

use std::path::{Path, PathBuf};

use cerebellum_bridge::SessionConfig;
use cerebellum_bridge::viewer::ViewerConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::control::ControlConfig;
use crate::inference::InferenceConfig;
use crate::learner::LearnerConfig;
use crate::run::capture::SensingConfig;

/// Which world the policy acts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorldKind {
    /// The tabletop world inside this process.
    #[default]
    Embedded,
    /// A world in another process that serves episodes.
    Zenoh,
    /// A robot: no episodes.
    Robot,
}

/// Who owns time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// The wall clock.
    #[default]
    Realtime,
    /// The world waits for each command.
    Lockstep,
}

/// What is run in the world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorldSettings {
    /// Which world.
    pub kind: WorldKind,
    /// Who owns time.
    pub clock: Pace,
    /// Tasks, in turn; empty for the policy's own list.
    pub tasks: Vec<String>,
    /// Episodes.
    pub episodes: usize,
    /// Split that episode seeds are drawn from.
    pub split: String,
    /// Domain shift, `knob=level` pairs joined by commas.
    pub shift: String,
}

impl Default for WorldSettings {
    fn default() -> Self {
        Self {
            kind: WorldKind::default(),
            clock: Pace::default(),
            tasks: Vec::new(),
            episodes: 10,
            split: "eval".to_owned(),
            shift: String::new(),
        }
    }
}

/// How a lockstep run counts what takes time in a real one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LockstepSettings {
    /// Ticks from an observation to its chunk.
    pub latency_ticks: u32,
    /// Learner micro-steps per tick.
    pub micro_steps: u32,
}

impl Default for LockstepSettings {
    fn default() -> Self {
        Self {
            latency_ticks: 1,
            micro_steps: 1,
        }
    }
}

/// Everything that a run can be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunSettings {
    /// Policy package; the shipped one if not given.
    pub policy: Option<PathBuf>,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether to learn while running.
    pub learn: bool,
    /// The world.
    pub world: WorldSettings,
    /// Lockstep.
    pub lockstep: LockstepSettings,
    /// Sensors.
    pub sensing: SensingConfig,
    /// Control loop.
    pub control: ControlConfig,
    /// Inference thread.
    pub inference: InferenceConfig,
    /// Learner.
    pub learner: LearnerConfig,
    /// Network. Without endpoints, one machine is assumed.
    pub network: SessionConfig,
    /// Recording and viewer.
    pub viewer: ViewerConfig,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            policy: None,
            seed: 0,
            learn: true,
            world: WorldSettings::default(),
            lockstep: LockstepSettings::default(),
            sensing: SensingConfig::default(),
            control: ControlConfig::default(),
            inference: InferenceConfig::default(),
            learner: LearnerConfig::default(),
            network: SessionConfig::default(),
            viewer: ViewerConfig::default(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a run configuration; the message shows the place.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        message: String,
    },
}

impl RunSettings {
    /// Reads a configuration. Unknown keys are errors, so that a misspelt one is not ignored.
    ///
    /// # Errors
    /// If the file cannot be read, or a key or value is wrong.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|error| SettingsError::Parse {
            path: path.to_owned(),
            message: error.to_string(),
        })
    }

    /// JSON schema of the configuration file.
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(
            toml::from_str::<RunSettings>("").unwrap(),
            RunSettings::default()
        );
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "[control]\nrate = 20\n").unwrap();
        let message = RunSettings::load(&path).unwrap_err().to_string();
        assert!(
            message.contains("run.toml")
                && message.contains("`rate`")
                && message.contains("rate_hz"),
            "{message}"
        );
    }
}
