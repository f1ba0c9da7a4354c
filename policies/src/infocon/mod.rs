//! InfoCon: concepts of manipulation found without labels (Liu, Yuan, Wang, Su, "InfoCon: Concept
//! Discovery with Generative and Discriminative Informativeness", ICLR 2024, arXiv 2404.10606).
//!
//! A trajectory encoder ([`key_net`]) gives every step a key; a codebook ([`codebook`]) assigns it to
//! one of a few concepts. Two goals make concepts informative. The generative one ([`future_net`]):
//! from the concept one can predict the state in which its segment will end. The discriminative one
//! ([`sa_net`], [`hyper_score`]): a score tells states of the segment from others, and its gradient
//! with respect to the state tells which action comes next.
//!
//! [`learner`] trains all of it, [`labelling`] finds the key states of demonstrations, [`cotpc`] is
//! the policy that is trained on them, and [`tracker`] reads concepts while a robot acts.
//!
//! ```no_run
//! use cerebellum_policies::Device;
//! use cerebellum_policies::infocon::{
//!     ConceptTracker, Demonstration, DiscoveryBatch, DiscoveryLearner, InfoCon, InfoConConfig,
//!     InfoConError, LearnerConfig, Protocol, label,
//! };
//!
//! fn concepts(
//!     batches: impl Iterator<Item = DiscoveryBatch>,
//!     demonstration: Demonstration<'_>,
//! ) -> Result<(), InfoConError> {
//!     let device = Device::flex();
//!     let config = InfoConConfig::published(51, 8, 200);
//!     let fresh = InfoCon::new(&config, &device.clone().autodiff())?;
//!     let mut learner = DiscoveryLearner::new(fresh, LearnerConfig::published(100_000));
//!     for batch in batches {
//!         learner.step(&batch)?;
//!     }
//!     let model = learner.finished();
//!     let labels = label(&model, &config, demonstration, Protocol::TRAINED, &device)?;
//!     println!("concept of every step: {:?}", labels.concepts);
//!     println!("where each one ends: {:?}", labels.key_steps);
//!
//!     let mut tracker = ConceptTracker::new(model, config, 100, &device)?;
//!     tracker.push(None, &demonstration.states[..51])?;
//!     println!("the robot is in concept {}", tracker.read(None)?.concept);
//!     Ok(())
//! }
//! ```

pub mod baselines;
pub mod batch;
pub mod blocks;
pub mod codebook;
#[cfg(test)]
mod codebook_tests;
pub mod config;
pub mod cotpc;
pub mod error;
pub mod files;
pub mod future_net;
pub mod history;
pub mod hyper_score;
#[cfg(test)]
mod hyper_score_tests;
pub mod key_net;
pub mod labelling;
pub mod learner;
#[cfg(test)]
mod learner_tests;
pub mod losses;
pub mod matching;
pub mod model;
pub mod objective;
pub mod policy;
pub mod policy_config;
#[cfg(test)]
mod policy_tests;
pub mod prototypes;
pub mod rec_net;
pub mod sa_net;
pub mod schedules;
pub mod segments;
pub mod sequence;
pub mod time_sphere;
pub mod tokens;
pub mod tracker;
pub mod training;
pub mod window;

pub use batch::DiscoveryBatch;
pub use config::InfoConConfig;
pub use error::InfoConError;
pub use labelling::{Demonstration, Labels, Protocol, label};
pub use learner::{DiscoveryLearner, LearnerConfig};
pub use model::InfoCon;
pub use objective::{Mode, ObjectiveConfig};
pub use policy::InfoConPolicy;
pub use policy_config::{InfoConNetworks, InfoConPolicyConfig};
pub use sequence::ConceptSequence;
pub use tracker::{ConceptReading, ConceptTracker};
pub use window::Windows;
