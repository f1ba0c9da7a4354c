//! InfoCon: concepts of manipulation found without labels (Liu, Yuan, Wang, Su, "InfoCon: Concept
//! Discovery with Generative and Discriminative Informativeness", ICLR 2024, arXiv 2404.10606).
//!
//! A trajectory encoder ([`key_net`]) gives every step a key; a codebook ([`codebook`]) assigns it to
//! one of a few concepts. Two goals make concepts informative. The generative one ([`future_net`]):
//! from the concept one can predict the state in which its segment will end. The discriminative one
//! ([`sa_net`], [`hyper_score`]): a score tells states of the segment from others, and its gradient
//! with respect to the state tells which action comes next.

pub mod blocks;
pub mod codebook;
pub mod config;
pub mod cotpc;
pub mod error;
pub mod future_net;
pub mod history;
pub mod hyper_score;
#[cfg(test)]
mod hyper_score_tests;
pub mod key_net;
pub mod labelling;
pub mod learner;
pub mod losses;
pub mod matching;
pub mod model;
pub mod objective;
pub mod prototypes;
pub mod rec_net;
pub mod sa_net;
pub mod schedules;
pub mod segments;
pub mod time_sphere;
pub mod tokens;
pub mod tracker;
pub mod window;

pub use config::InfoConConfig;
pub use error::InfoConError;
pub use labelling::{Demonstration, Labels, Protocol, label};
pub use learner::{DiscoveryLearner, LearnerConfig};
pub use model::InfoCon;
pub use objective::{DiscoveryBatch, Mode, ObjectiveConfig};
pub use tracker::{ConceptReading, ConceptSequence, ConceptTracker};
pub use window::Windows;
