//! Concepts while acting: which one the robot is in, how complete it is, where it leads, and what to
//! do next.

use burn::tensor::{Device, Tensor};
use cerebellum_messages::{LatentSample, Observation};

use super::config::InfoConConfig;
use super::error::InfoConError;
use super::history::History;
use super::model::InfoCon;
use super::prototypes::Prototypes;
use super::window::Windows;
use crate::host;
use crate::policy::latent;

/// Follows an episode with a trained model.
///
/// The codebook knows prototypes by their time in the task, from 0 to 1. The end of an episode is not
/// known while acting, so that time runs against the expected length and stops at 1.
#[derive(Clone, Debug)]
pub struct ConceptTracker {
    model: InfoCon,
    config: InfoConConfig,
    prototypes: Prototypes,
    history: History,
    expected_steps: usize,
    device: Device,
}

/// The newest state through the eyes of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ConceptReading {
    /// The concept: the assigned one, or the one that was asked for.
    pub concept: usize,
    /// Weights of all concepts; they sum to 1.
    pub weights: Vec<f32>,
    /// How complete the concept is, 0 to 1: low inside its segment, high where it is over.
    pub completion: f32,
    /// Gradient of the completion with respect to the state, `state_dim` numbers.
    pub direction: Vec<f32>,
    /// The state in which the segment should end, `state_dim` numbers.
    pub key_state: Vec<f32>,
    /// The action that the concept suggests, `action_dim` numbers.
    pub action: Vec<f32>,
}

impl ConceptTracker {
    /// Follows episodes of about `expected_steps` steps.
    ///
    /// # Errors
    /// If `expected_steps` is 0 or the sizes do not go together.
    pub fn new(
        model: InfoCon,
        config: InfoConConfig,
        expected_steps: usize,
        device: &Device,
    ) -> Result<Self, InfoConError> {
        config.check()?;
        if expected_steps == 0 {
            let expected = "at least 1";
            return Err(InfoConError::input(
                "expected steps",
                expected_steps,
                expected,
            ));
        }
        Ok(Self {
            prototypes: model.key_book.prototypes(),
            history: History::new(config.state_dim, config.action_dim, config.context),
            model,
            config,
            expected_steps,
            device: device.clone(),
        })
    }

    /// The same episode through the eyes of another generation of the model.
    #[must_use]
    pub fn with_model(&self, model: InfoCon) -> Self {
        Self {
            prototypes: model.key_book.prototypes(),
            model,
            ..self.clone()
        }
    }

    /// Forgets the episode.
    pub fn reset(&mut self) {
        let config = &self.config;
        self.history = History::new(config.state_dim, config.action_dim, config.context);
    }

    /// Takes the next state, and the action that led to it (`None` for the first).
    ///
    /// # Errors
    /// As [`History::push`].
    pub fn push(&mut self, action: Option<&[f32]>, state: &[f32]) -> Result<(), InfoConError> {
        self.history.push(action, state)
    }

    /// Reads the newest state, under its own concept or, if one is asked for, as if the robot were
    /// in that one.
    ///
    /// # Errors
    /// If no state was seen yet or there is no such concept.
    pub fn read(&self, concept: Option<usize>) -> Result<ConceptReading, InfoConError> {
        let concepts = self.prototypes.len();
        if let Some(asked) = concept.filter(|&asked| asked >= concepts) {
            let expected = format!("less than {concepts}");
            return Err(InfoConError::input("concept", asked, expected));
        }
        let windows = self.windows()?;
        let steps = self.history.len();
        let times = (0..steps).map(|step| {
            let step = self.history.start() + step;
            (step as f32 / self.expected_steps as f32).min(1.0)
        });
        let times = times.collect::<Vec<_>>();
        let book = &self.model.key_book;
        let keys = self.model.key_net.keys(&windows);
        let mut assignment = book.assign(keys, &times, &self.prototypes);
        if let Some(asked) = concept {
            assignment.concepts.fill(asked);
        }
        let quantised = book.quantise(&assignment, &self.prototypes);
        let key_states = self.model.future_net.forward(&windows, quantised.keys);
        let found =
            self.model
                .sa_net
                .forward(&windows, quantised.parameters, Some(key_states.clone()));
        let newest = |tensor: Tensor<3>| host::values(tensor.narrow(1, steps - 1, 1));
        let completion = found.score.probability().reshape([1, steps, 1]);
        Ok(ConceptReading {
            concept: assignment.concepts.last().copied().unwrap_or(0),
            weights: newest(quantised.log_weights.exp()),
            completion: newest(completion).first().copied().unwrap_or(f32::NAN),
            direction: newest(found.gradient),
            key_state: newest(key_states),
            action: newest(found.actions),
        })
    }

    fn windows(&self) -> Result<Windows, InfoConError> {
        let (states, actions) = self.history.tensors(&self.device)?;
        let start = self.history.position(self.config.max_timestep);
        Windows::new(states, actions, vec![start], &self.config)
    }
}

impl ConceptReading {
    /// The reading as latents of a plan: `concept` (weights of all), `concept/completion`,
    /// `concept/direction` and `concept/key_state`.
    pub fn latents(&self, observation: &Observation, generation: u64) -> Vec<LatentSample> {
        let completion = [self.completion];
        let parts: [(&str, &[f32]); 4] = [
            ("concept", &self.weights),
            ("concept/completion", &completion),
            ("concept/direction", &self.direction),
            ("concept/key_state", &self.key_state),
        ];
        parts
            .into_iter()
            .map(|(name, values)| latent(observation, generation, name, values.to_vec()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(key_state_input: bool) -> Result<ConceptTracker, InfoConError> {
        let config = InfoConConfig {
            width: 8,
            heads: 2,
            hidden: 4,
            context: 3,
            key_dim: 4,
            parameter_dim: 4,
            concepts: 3,
            key_state_input,
            ..InfoConConfig::published(2, 1, 4)
        };
        let device = Device::flex();
        let model = InfoCon::new(&config, &device)?;
        ConceptTracker::new(model, config, 5, &device)
    }

    #[test]
    fn every_state_has_a_reading_however_long_the_episode() -> Result<(), InfoConError> {
        for key_state_input in [false, true] {
            let mut tracker = tracker(key_state_input)?;
            assert!(tracker.read(None).is_err(), "no state yet");
            tracker.push(None, &[0.1, 0.2])?;
            for step in 0..10 {
                let reading = tracker.read(None)?;
                assert!(reading.concept < 3);
                assert!((reading.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!((0.0..=1.0).contains(&reading.completion));
                let widths = [&reading.direction, &reading.key_state, &reading.action];
                assert_eq!(widths.map(Vec::len), [2, 2, 1]);
                tracker.push(Some(&[0.5]), &[step as f32, 0.0])?;
            }
            tracker.reset();
            assert!(tracker.read(None).is_err());
        }
        Ok(())
    }

    #[test]
    fn a_concept_can_be_asked_for() -> Result<(), InfoConError> {
        let mut tracker = tracker(false)?;
        tracker.push(None, &[0.1, 0.2])?;
        for concept in 0..3 {
            assert_eq!(tracker.read(Some(concept))?.concept, concept);
        }
        assert!(tracker.read(Some(3)).is_err());
        Ok(())
    }
}
