//! Sizes and options of the discovery model.

use serde::{Deserialize, Serialize};

use super::error::InfoConError;

/// The model that finds concepts. [`InfoConConfig::published`] is what the authors' scripts run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoConConfig {
    /// Numbers per state.
    pub state_dim: usize,
    /// Numbers per action.
    pub action_dim: usize,
    /// Width of all networks; a multiple of `heads`.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// States per window, at most.
    pub context: usize,
    /// Rows of the position tables of window starts: the most states that a trajectory has.
    pub max_timestep: usize,
    /// Hidden width of encoders and predictors.
    pub hidden: usize,
    /// Blocks of the trajectory encoder.
    pub key_layers: usize,
    /// Blocks of the network that reconstructs states.
    pub reconstruction_layers: usize,
    /// Blocks of the network that predicts key states.
    pub future_layers: usize,
    /// Blocks of the network that predicts actions.
    pub action_layers: usize,
    /// Parts of a concept's parameters: one less than this many generated layers, and an output.
    pub score_layers: usize,
    /// Whether every second generated layer adds what went in two layers before.
    pub skip: bool,
    /// Whether the action network sees the key state beside the score's gradient.
    pub key_state_input: bool,
    /// Concepts.
    pub concepts: usize,
    /// Width of a key, without its time.
    pub key_dim: usize,
    /// Width of one part of a concept's parameters.
    pub parameter_dim: usize,
    /// Temperature of concept weights and of the score.
    pub temperature: f64,
    /// How much of a half circle time does *not* span on the sphere, see
    /// [`TimeSphere`](super::time_sphere::TimeSphere).
    pub time_rate: f64,
    /// Whether prototypes have a learned radius.
    pub radius: bool,
    /// Decay of the prototypes' moving averages.
    pub ema_decay: f64,
    /// Whether prototypes move once per batch, towards the mean of their steps; else once per step.
    pub ema_averaged: bool,
}

impl InfoConConfig {
    /// The sizes of the authors' scripts for a task.
    pub const fn published(state_dim: usize, action_dim: usize, max_timestep: usize) -> Self {
        Self {
            state_dim,
            action_dim,
            width: 128,
            heads: 8,
            context: 60,
            max_timestep,
            hidden: 256,
            key_layers: 4,
            reconstruction_layers: 4,
            future_layers: 2,
            action_layers: 1,
            score_layers: 2,
            skip: false,
            key_state_input: false,
            concepts: 10,
            key_dim: 128,
            parameter_dim: 128,
            temperature: 0.1,
            time_rate: 1.2,
            radius: true,
            ema_decay: 0.9,
            ema_averaged: true,
        }
    }

    /// Width of a concept's parameters, all parts together.
    pub const fn parameters(&self) -> usize {
        self.parameter_dim * self.score_layers
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
            ("context", self.context),
            ("max_timestep", self.max_timestep),
            ("hidden", self.hidden),
            ("score_layers", self.score_layers),
            ("concepts", self.concepts),
            ("key_dim", self.key_dim),
            ("parameter_dim", self.parameter_dim),
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
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            let reason = format!("is {}, expected a positive number", self.temperature);
            return error("temperature", reason);
        }
        // At 1 the ends of a trajectory would be the poles, where features have no room.
        if !(self.time_rate.is_finite() && self.time_rate >= 1.0) {
            let reason = format!("is {}, expected at least 1", self.time_rate);
            return error("time_rate", reason);
        }
        if !(0.0..=1.0).contains(&self.ema_decay) {
            let reason = format!("is {}, expected 0 to 1", self.ema_decay);
            return error("ema_decay", reason);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_sizes_are_named() {
        let good = InfoConConfig::published(51, 8, 200);
        assert!(good.check().is_ok());
        let bad = |change: fn(&mut InfoConConfig)| {
            let mut config = good.clone();
            change(&mut config);
            config.check().err().map(|error| error.to_string())
        };
        assert!(bad(|c| c.heads = 7).is_some_and(|text| text.contains("`width`")));
        assert!(bad(|c| c.concepts = 0).is_some_and(|text| text.contains("`concepts`")));
        assert!(bad(|c| c.temperature = 0.0).is_some_and(|text| text.contains("`temperature`")));
        assert!(bad(|c| c.time_rate = 0.5).is_some_and(|text| text.contains("`time_rate`")));
        assert!(bad(|c| c.ema_decay = f64::NAN).is_some_and(|text| text.contains("`ema_decay`")));
    }
}
