//! Sizes and options of the policy.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::infocon::error::InfoConError;
use crate::infocon::window::{Limits, Windows};

/// The policy on key states. [`CotpcConfig::published`] is what the authors' scripts run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CotpcConfig {
    /// Numbers per state.
    pub state_dim: usize,
    /// Numbers per action.
    pub action_dim: usize,
    /// Width of the transformer; a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// States per window, at most.
    pub context: usize,
    /// Rows of the position table of window starts: the most states that a trajectory has.
    pub max_timestep: usize,
    /// Hidden width of encoders and of the action predictor.
    pub hidden: usize,
    /// Whether actions of the past are tokens.
    pub actions: bool,
    /// Key states that are predicted, one query token each; 0 for a policy without.
    pub key_states: usize,
    /// Blocks (from 0) whose output key states are predicted from, one predictor each.
    pub key_state_layers: Vec<usize>,
    /// Hidden width of those predictors.
    pub key_state_hidden: usize,
}

impl CotpcConfig {
    /// The sizes of the authors' scripts for a task.
    pub fn published(state_dim: usize, action_dim: usize, max_timestep: usize) -> Self {
        Self {
            state_dim,
            action_dim,
            width: 128,
            heads: 8,
            layers: 4,
            context: 60,
            max_timestep,
            hidden: 256,
            actions: true,
            key_states: 10,
            key_state_layers: vec![0],
            key_state_hidden: 256,
        }
    }

    /// Tokens per step.
    pub const fn kinds(&self) -> usize {
        if self.actions { 2 } else { 1 }
    }

    /// Windows of this policy, see [`Windows::new`].
    ///
    /// # Errors
    /// As there.
    pub fn windows(
        &self,
        states: Tensor<3>,
        actions: Option<Tensor<3>>,
        starts: Vec<usize>,
    ) -> Result<Windows, InfoConError> {
        Windows::within(states, actions, starts, self.limits())
    }

    const fn limits(&self) -> Limits {
        Limits {
            state_dim: self.state_dim,
            action_dim: self.action_dim,
            context: self.context,
            max_timestep: self.max_timestep,
        }
    }

    /// Whether the sizes go together.
    ///
    /// # Errors
    /// The first field that does not fit, and why.
    pub fn check(&self) -> Result<(), InfoConError> {
        let error = |field, reason: String| Err(InfoConError::Config { field, reason });
        for (field, size) in [
            ("state_dim", self.state_dim),
            ("action_dim", self.action_dim),
            ("width", self.width),
            ("heads", self.heads),
            ("layers", self.layers),
            ("context", self.context),
            ("max_timestep", self.max_timestep),
            ("hidden", self.hidden),
        ] {
            if size == 0 {
                return error(field, "is 0, expected at least 1".to_owned());
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            let (width, heads) = (self.width, self.heads);
            return error(
                "width",
                format!("is {width}, not a multiple of {heads} heads"),
            );
        }
        if self.key_states > 0 {
            if self.key_state_layers.is_empty() || self.key_state_hidden == 0 {
                let reason = "is empty although key states are predicted".to_owned();
                return error("key_state_layers", reason);
            }
            let beyond = self.key_state_layers.iter().find(|&&l| l >= self.layers);
            if let Some(layer) = beyond {
                let reason = format!("names block {layer} of {}", self.layers);
                return error("key_state_layers", reason);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sizes_are_named() {
        let good = CotpcConfig::published(51, 8, 200);
        assert!(good.check().is_ok());
        for (field, bad) in [
            (
                "`width`",
                CotpcConfig {
                    heads: 7,
                    ..good.clone()
                },
            ),
            (
                "`key_state_layers`",
                CotpcConfig {
                    key_state_layers: vec![4],
                    ..good.clone()
                },
            ),
            ("`context`", CotpcConfig { context: 0, ..good }),
        ] {
            let text = bad.check().err().map(|error| error.to_string());
            assert!(text.is_some_and(|text| text.contains(field)), "{field}");
        }
    }
}
