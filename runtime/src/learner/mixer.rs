//! Which objective an update follows.

use cerebellum_policies::online::{ObjectiveId, ObjectiveSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::refuse;
use super::error::LearnerError;

/// Which objective an update follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MixerConfig {
    /// How the objectives take turns.
    pub rule: MixRule,
    /// The objectives to follow. Empty (the default) for all that the model has, equally.
    pub objectives: Vec<ObjectiveWeight>,
}

/// How objectives take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MixRule {
    /// Each as often as its weight says, as evenly spaced as whole turns allow.
    #[default]
    Weighted,
    /// One after the other. Weights matter to the gate only.
    RoundRobin,
}

/// An objective and how much it counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveWeight {
    /// Its name.
    pub name: String,
    /// Its weight, above zero. 1 by default.
    #[serde(default = "one")]
    pub weight: f64,
}

const fn one() -> f64 {
    1.0
}

impl MixerConfig {
    pub(super) fn validate(&self) -> Result<(), LearnerError> {
        for (index, objective) in self.objectives.iter().enumerate() {
            if !(objective.weight > 0.0 && objective.weight.is_finite()) {
                let reason = format!("weight of `{}` must be above zero", objective.name);
                return Err(refuse("mixer.objectives", &reason));
            }
            if self.objectives[..index]
                .iter()
                .any(|other| other.name == objective.name)
            {
                let reason = format!("`{}` is listed twice", objective.name);
                return Err(refuse("mixer.objectives", &reason));
            }
        }
        Ok(())
    }
}

/// An objective that the learner follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// What it needs.
    pub spec: ObjectiveSpec,
    /// Its share of all, in (0, 1].
    pub share: f64,
}

/// Chooses the objective of each update. Deterministic.
///
/// Every objective gains credit by its share at each turn; the one with the most credit is taken
/// and pays one turn, so that turns are spread evenly and no objective strays far from its share.
#[derive(Clone, Debug)]
pub struct Mixer {
    followed: Vec<Followed>,
    gains: Vec<f64>,
    credit: Vec<f64>,
}

impl Mixer {
    /// A mixer over those of the model's objectives that the configuration names.
    ///
    /// # Errors
    /// If it names one that the model does not have, or the model has none at all.
    pub fn new(config: &MixerConfig, known: &[ObjectiveSpec]) -> Result<Self, LearnerError> {
        config.validate()?;
        let weights: Vec<(ObjectiveSpec, f64)> = if config.objectives.is_empty() {
            known.iter().map(|spec| (spec.clone(), 1.0)).collect()
        } else {
            config
                .objectives
                .iter()
                .map(|wanted| {
                    let spec = known.iter().find(|spec| spec.id.0 == wanted.name);
                    let spec = spec.ok_or_else(|| unknown(&wanted.name, known))?;
                    Ok((spec.clone(), wanted.weight))
                })
                .collect::<Result<_, LearnerError>>()?
        };
        if weights.is_empty() {
            return Err(refuse(
                "mixer.objectives",
                "the model has no objective to learn by",
            ));
        }
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let followed: Vec<_> = weights
            .into_iter()
            .map(|(spec, weight)| Followed {
                spec,
                share: weight / total,
            })
            .collect();
        let gains = followed
            .iter()
            .map(|objective| match config.rule {
                MixRule::Weighted => objective.share,
                MixRule::RoundRobin => 1.0 / followed.len() as f64,
            })
            .collect();
        Ok(Self {
            credit: vec![0.0; followed.len()],
            gains,
            followed,
        })
    }

    /// All objectives that are followed.
    pub fn followed(&self) -> &[Followed] {
        &self.followed
    }

    /// The objective of the next update.
    pub fn choose(&mut self) -> Option<&ObjectiveSpec> {
        for (credit, gain) in self.credit.iter_mut().zip(&self.gains) {
            *credit += gain;
        }
        // The first among equals, so that the order of the configuration decides.
        let mut best = 0;
        for (index, credit) in self.credit.iter().enumerate() {
            if *credit > self.credit.get(best).copied().unwrap_or(f64::NEG_INFINITY) + 1e-12 {
                best = index;
            }
        }
        if let Some(credit) = self.credit.get_mut(best) {
            *credit -= 1.0;
        }
        self.followed.get(best).map(|objective| &objective.spec)
    }
}

fn unknown(name: &str, known: &[ObjectiveSpec]) -> LearnerError {
    cerebellum_policies::error::LearnError::UnknownObjective {
        found: name.to_owned(),
        known: known
            .iter()
            .map(
                |ObjectiveSpec {
                     id: ObjectiveId(name),
                     ..
                 }| name.clone(),
            )
            .collect(),
    }
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn known(count: usize) -> Vec<ObjectiveSpec> {
        (0..count)
            .map(|index| ObjectiveSpec {
                id: ObjectiveId(format!("o{index}")),
                lookahead: index as u32,
                about: String::new(),
            })
            .collect()
    }

    fn config(rule: MixRule, weights: &[f64]) -> MixerConfig {
        let objectives = weights
            .iter()
            .enumerate()
            .map(|(index, weight)| ObjectiveWeight {
                name: format!("o{index}"),
                weight: *weight,
            });
        MixerConfig {
            rule,
            objectives: objectives.collect(),
        }
    }

    #[test]
    fn without_a_list_all_take_turns() {
        let mut mixer = Mixer::new(&MixerConfig::default(), &known(3)).unwrap();
        let turns: Vec<_> = (0..6).map(|_| mixer.choose().unwrap().lookahead).collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn round_robin_ignores_weights() {
        let mut mixer = Mixer::new(&config(MixRule::RoundRobin, &[9.0, 1.0]), &known(2)).unwrap();
        let turns: Vec<_> = (0..4).map(|_| mixer.choose().unwrap().lookahead).collect();
        assert_eq!(turns, [0, 1, 0, 1]);
        assert!((mixer.followed()[0].share - 0.9).abs() < 1e-12);
    }

    #[test]
    fn what_the_model_lacks_is_refused_by_name() {
        let error = Mixer::new(&config(MixRule::Weighted, &[1.0, 1.0]), &known(1)).unwrap_err();
        assert!(error.to_string().contains("`o1`"), "{error}");
        assert!(Mixer::new(&MixerConfig::default(), &[]).is_err());
        assert!(Mixer::new(&config(MixRule::Weighted, &[0.0]), &known(1)).is_err());
    }

    proptest! {
        #[test]
        fn counts_keep_to_the_shares(weights in prop::collection::vec(0.05f64..5.0, 1..6)) {
            let mut mixer =
                Mixer::new(&config(MixRule::Weighted, &weights), &known(weights.len())).unwrap();
            let mut counts = vec![0.0; weights.len()];
            for turn in 1..=200 {
                counts[mixer.choose().unwrap().lookahead as usize] += 1.0;
                for (count, followed) in counts.iter().zip(mixer.followed()) {
                    let due: f64 = followed.share * f64::from(turn);
                    // Smooth weighted turns deviate by less than the number of objectives.
                    prop_assert!((count - due).abs() < weights.len() as f64);
                }
            }
        }
    }
}
