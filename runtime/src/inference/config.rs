//! Settings of the inference thread.

use cerebellum_policies::mdt::{Shortcuts, WarmStart};
use cerebellum_policies::nn::kernels::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the inference thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceConfig {
    /// When to plan anew and for how long.
    pub replan: ReplanConfig,
    /// What makes the plans of a diffusion policy cheaper.
    pub shortcuts: ShortcutsConfig,
    /// Plans made with a synthetic observation before the robot may move, so that the first real
    /// plan meets a warm device. 3 by default; 0 for none.
    pub warmup_plans: u32,
    /// Plans without a fault after which new weights count as good. Until then a fault puts the
    /// last good ones back at once. 20 by default.
    pub probation_plans: u32,
    /// Faults in a row after which even good weights are given up for the ones before them.
    /// 3 by default.
    pub fault_limit: u32,
    /// How long to wait for an observation before looking for a new goal, new weights or a stop
    /// [ms]. 20 by default.
    pub poll_ms: u64,
}

impl Default for InferenceConfig {
    fn default() -> Self {
        Self {
            replan: ReplanConfig::default(),
            shortcuts: ShortcutsConfig::default(),
            warmup_plans: 3,
            probation_plans: 20,
            fault_limit: 3,
            poll_ms: 20,
        }
    }
}

/// What makes the plans of a diffusion policy cheaper; nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShortcutsConfig {
    /// How exactly the denoiser's matrices are kept on the CPU. `single` by default.
    pub weights: WeightPrecision,
    /// Whether a plan goes on from the last one of the same goal. It does not by default.
    pub warm_start: Option<WarmStartConfig>,
}

/// How exactly numbers of a matrix are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightPrecision {
    /// 32 bits.
    #[default]
    Single,
    /// 16 bits (bfloat16).
    Brief,
}

/// Where a plan begins that goes on from the last one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WarmStartConfig {
    /// Noise level up to which the last plan is made noisy again. 0.5 by default.
    pub level: f64,
    /// Denoising steps from there. 3 by default.
    pub steps: u32,
}

impl Default for WarmStartConfig {
    fn default() -> Self {
        Self {
            level: 0.5,
            steps: 3,
        }
    }
}

impl From<&ShortcutsConfig> for Shortcuts {
    fn from(config: &ShortcutsConfig) -> Self {
        Self {
            precision: match config.weights {
                WeightPrecision::Single => Precision::Single,
                WeightPrecision::Brief => Precision::Brief,
            },
            warm_start: config.warm_start.map(|warm| WarmStart {
                level: warm.level,
                steps: warm.steps as usize,
            }),
        }
    }
}

/// When to plan anew and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplanConfig {
    /// Plan anew after this many ticks, even if actions are left. 5 by default; 0 counts as 1.
    pub every_ticks: u32,
    /// Ticks to keep in hand beyond the predicted latency. 1 by default.
    pub margin_ticks: u32,
    /// Most denoising (or other refinement) steps of a plan. 10 by default.
    pub max_steps: u32,
    /// How the latency of the next plan is predicted.
    pub latency: LatencyRule,
}

impl Default for ReplanConfig {
    fn default() -> Self {
        Self {
            every_ticks: 5,
            margin_ticks: 1,
            max_steps: 10,
            latency: LatencyRule::default(),
        }
    }
}

/// How the latency of the next plan is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyRule {
    /// From the latencies measured last.
    Measured {
        /// Share of plans that are to be in time, in [0, 1].
        quantile: f64,
        /// Plans looked back at.
        window: usize,
        /// First plans that are not counted: they compile and tune.
        cold_plans: u32,
    },
    /// A number of ticks, and no deadline: lockstep and replay, where wall time must not matter.
    Fixed {
        /// Ticks from an observation to its chunk.
        ticks: u32,
    },
}

impl Default for LatencyRule {
    fn default() -> Self {
        Self::Measured {
            quantile: 0.95,
            window: 64,
            cold_plans: 2,
        }
    }
}
