//! Score-based diffusion in the formulation of Karras et al. (arXiv 2206.00364).

pub mod ancestral;
pub mod densities;
pub mod density;
pub mod preconditioning;
pub mod sampler;
pub mod samplers;
pub mod schedule;
pub mod schedules;
#[cfg(test)]
mod tests;

pub use density::Density;
pub use preconditioning::Preconditioning;
pub use sampler::{Progress, Sampler, Step};
pub use samplers::SamplerKind;
pub use schedule::Schedule;
