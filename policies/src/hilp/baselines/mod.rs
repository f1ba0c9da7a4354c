//! What HILP is compared with on the same play: policies that read the goal itself, with no
//! representation of it.
//!
//! - Goal-conditioned behaviour cloning (GCBC; Lynch et al., arXiv 1903.01973; Ghosh et al., arXiv
//!   1912.06088): π(a | s, g) imitates what led from s to g.
//! - Goal-conditioned implicit Q-learning (IQL; Kostrikov et al., arXiv 2110.06169): −1 per step
//!   until the goal that was set in hindsight, learned as HILP learns its skills.
//!
//! φ of these policies is the state itself, and the goal takes the place of the skill.

mod agent;
mod config;
mod networks;

pub use agent::BaselineAgent;
pub use config::{BaselineConfig, Method};
pub use networks::{Acting, Networks};
