//! What goes on inside a policy, for eyes and logs.

use serde::{Deserialize, Serialize};

use crate::invalid::Check;
use crate::{Invalid, Stamp, Tick};

/// A named vector out of a policy (`cerebellum_msgs/Latent`): plan tokens, skill vectors, scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentSample {
    /// Stamp of the observation.
    pub stamp: Stamp,
    /// Tick of the observation.
    pub tick: Tick,
    /// Generation of the weights.
    pub generation: u64,
    /// What it is, for example `context` or `goal`.
    pub name: String,
    /// Shape; the product is the number of values.
    pub shape: Vec<u32>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

impl LatentSample {
    /// Checks that the shape fits the values. Values may be anything: a latent that is not finite
    /// is what an operator wants to see.
    ///
    /// # Errors
    /// [`Invalid`], naming the field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let expected = self.shape.iter().fold(1_usize, |product, &side| {
            product.saturating_mul(side as usize)
        });
        Check("LatentSample").length("values", self.values.len(), expected)
    }
}
