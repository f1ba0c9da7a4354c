//! The samplers that the authors of MDT offer, one rule per file; [`SamplerKind`] chooses one.

pub mod ancestral;
pub mod churn;
pub mod ddim;
pub mod dpm_2;
pub mod dpm_fast;
pub mod dpm_pp_2m;
pub mod dpm_pp_2s;
pub mod dpm_pp_sde;
pub mod euler;
pub mod heun;
pub mod kind;
pub mod lms;
#[cfg(test)]
mod tests;

pub use ancestral::{Dpm2Ancestral, EulerAncestral};
pub use churn::Churn;
pub use ddim::Ddim;
pub use dpm_2::Dpm2;
pub use dpm_fast::DpmFast;
pub use dpm_pp_2m::DpmPp2m;
pub use dpm_pp_2s::DpmPp2s;
pub use dpm_pp_sde::DpmPpSde;
pub use euler::Euler;
pub use heun::Heun;
pub use kind::SamplerKind;
pub use lms::Lms;
