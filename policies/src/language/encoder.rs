//! The seam between policies and whatever reads instructions.

use crate::error::PolicyError;

/// Turns an instruction into a vector.
///
/// Encoders are shared between the policy, the learner and the trainer, and hold no state: the same
/// text gives the same vector, bit for bit.
pub trait SentenceEncoder: Send + Sync {
    /// Numbers per vector.
    fn dim(&self) -> usize;

    /// Name of the encoder and its weights. A policy's package records it, because a policy
    /// understands only the vectors of the encoder that it was trained with.
    fn name(&self) -> &str;

    /// The vector of an instruction, `dim()` numbers of about unit variance.
    ///
    /// # Errors
    /// [`PolicyError::Text`] if the text is empty, too long, holds control characters or says
    /// nothing that the encoder knows.
    fn encode(&self, text: &str) -> Result<Vec<f32>, PolicyError>;
}
