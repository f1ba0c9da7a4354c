//! Self-predictive representations (Schwarzer et al., arXiv 2007.05929): a transition model predicts
//! the latents of the next observations, and a slow copy of the encoder tells what they are.
//!
//! [`Spr`] is the authors' whole model, value head included, because the head's first layers are the
//! projection. [`loss`], [`transition`] and [`projection`] serve any encoder of maps.

pub mod augment;
pub mod categorical;
pub mod config;
pub mod head;
pub mod import;
pub mod learner;
pub mod loss;
pub mod model;
pub mod noisy;
pub mod projection;
pub mod transition;

pub use config::SprConfig;
pub use learner::SprLearner;
pub use model::Spr;
