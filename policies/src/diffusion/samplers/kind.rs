//! Samplers as configuration.

use serde::{Deserialize, Serialize};

use super::dpm_pp_2s::Fresh;
use super::lms::HIGHEST_ORDER;
use super::{
    Churn, Ddim, Dpm2, Dpm2Ancestral, DpmFast, DpmPp2m, DpmPp2s, DpmPpSde, Euler, EulerAncestral,
    Heun, Lms,
};
use crate::diffusion::sampler::Sampler;

/// A sampler by name. Those that draw noise draw it from the seed of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerKind {
    /// See [`Ddim`] (the default of MDT).
    #[default]
    Ddim,
    /// See [`Euler`].
    Euler(Churn),
    /// See [`Heun`]; two calls of the network per step.
    Heun(Churn),
    /// See [`Dpm2`]; two calls of the network per step.
    Dpm2(Churn),
    /// See [`EulerAncestral`].
    EulerAncestral {
        /// Share of the greatest possible fresh noise.
        eta: f64,
    },
    /// See [`Dpm2Ancestral`]; two calls of the network per step.
    Dpm2Ancestral {
        /// Share of the greatest possible fresh noise.
        eta: f64,
    },
    /// See [`Lms`].
    Lms {
        /// Slopes that are remembered, 1 to 4.
        order: usize,
    },
    /// See [`DpmFast`]; as in the authors' code it calls the network once more than there are steps.
    DpmFast,
    /// See [`DpmPp2m`].
    DpmPp2m,
    /// See [`DpmPp2s`]; two calls of the network per step.
    DpmPp2s,
    /// See [`DpmPp2s`], with fresh noise.
    DpmPp2sAncestral {
        /// Share of the greatest possible fresh noise.
        eta: f64,
        /// Factor of the added noise.
        noise: f64,
    },
    /// See [`DpmPpSde`]; two calls of the network per step.
    DpmPpSde {
        /// Share of the greatest possible fresh noise.
        eta: f64,
        /// Factor of the added noise.
        noise: f64,
        /// Where the inner stage lies on the logarithmic scale, in (0, 1].
        middle: f64,
    },
}

impl SamplerKind {
    /// A sampler for one chunk of `steps` steps.
    pub fn start(self, steps: usize) -> Box<dyn Sampler> {
        match self {
            Self::Ddim => Box::new(Ddim),
            Self::Euler(churn) => Box::new(Euler { churn }),
            Self::Heun(churn) => Box::new(Heun { churn }),
            Self::Dpm2(churn) => Box::new(Dpm2 { churn }),
            Self::EulerAncestral { eta } => Box::new(EulerAncestral { eta }),
            Self::Dpm2Ancestral { eta } => Box::new(Dpm2Ancestral { eta }),
            Self::Lms { order } => Box::new(Lms::new(order)),
            Self::DpmFast => Box::new(DpmFast { calls: steps + 1 }),
            Self::DpmPp2m => Box::<DpmPp2m>::default(),
            Self::DpmPp2s => Box::new(DpmPp2s { fresh: None }),
            Self::DpmPp2sAncestral { eta, noise } => Box::new(DpmPp2s {
                fresh: Some(Fresh { eta, noise }),
            }),
            Self::DpmPpSde { eta, noise, middle } => Box::new(DpmPpSde { eta, noise, middle }),
        }
    }

    /// What is wrong, if anything.
    pub fn problem(self) -> Option<String> {
        let share = |eta: f64| (0.0..=1.0).contains(&eta);
        let factor = |noise: f64| noise >= 0.0 && noise.is_finite();
        match self {
            Self::Euler(churn) | Self::Heun(churn) | Self::Dpm2(churn) => churn.problem(),
            Self::Lms { order } if !(1..=HIGHEST_ORDER).contains(&order) => {
                Some(format!("order must lie in 1..={HIGHEST_ORDER}"))
            }
            Self::EulerAncestral { eta } | Self::Dpm2Ancestral { eta } if !share(eta) => {
                Some("eta must lie in [0, 1]".into())
            }
            Self::DpmPp2sAncestral { eta, noise } | Self::DpmPpSde { eta, noise, .. }
                if !share(eta) || !factor(noise) =>
            {
                Some("eta must lie in [0, 1] and noise must not be negative".into())
            }
            Self::DpmPpSde { middle, .. } if !(middle > 0.0 && middle <= 1.0) => {
                Some("middle must lie in (0, 1]".into())
            }
            _ => None,
        }
    }
}
