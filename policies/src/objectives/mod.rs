//! Auxiliary objectives that an encoder can host.

pub mod hard_negatives;
pub mod individual_temperatures;
pub mod inverse_dynamics;
pub mod log_sum_exp;
pub mod multi_view;
pub mod spr;

pub use individual_temperatures::{IndividualTemperatureConfig, IndividualTemperatures};
pub use inverse_dynamics::InverseDynamics;
pub use multi_view::{MultiView, MultiViewKind};
