//! HILP: foundation policies with Hilbert representations (Park, Kreiman and Levine, arXiv
//! 2402.15567).
//!
//! A representation φ is learned from unlabeled experience so that distances in it are the numbers
//! of steps between states: V(s, g) = −‖φ(s) − φ(g)‖ is a goal-conditioned value function (section
//! 4). A policy then learns to move along every direction z of that space (section 5), and is
//! prompted with a direction: towards a goal, over midpoints to a goal, or along the direction that
//! explains given rewards best (section 6).
//!
//! Two variants, both as their authors published them:
//! - [`goal_conditioned`]: implicit Q-learning with advantage-weighted regression, from states or
//!   images;
//! - [`zero_shot`]: successor features of φ with a deterministic actor, beside the feature learners
//!   and the two other agents that it was compared with.
//!
//! On the robot the networks read its own state, and a goal is then a posture (17 numbers:
//! [`config::InputConfig`]), or that and what a tracking system reports of the thing on the table
//! (35 numbers), or pictures, and a goal is then a picture of every camera, side by side. The policy
//! decides on one action per observation; a chunk repeats it. [`baselines`] learn from the same
//! play, to compare with.

pub mod baselines;
pub mod config;
pub mod expectile;
pub mod goal_conditioned;
pub mod inputs;
mod load;
pub mod observations;
pub mod online;
pub mod pilot;
pub mod planning;
pub mod play;
pub mod policy;
#[cfg(test)]
mod policy_tests;
pub mod prompt;
pub mod representation;
pub mod skills;
pub mod statistics;
pub mod training;
pub mod variant;
pub mod zero_shot;

pub use config::HilpConfig;
pub use observations::{ObservationShape, Observations};
pub use online::HilpOnline;
pub use policy::HilpPolicy;
