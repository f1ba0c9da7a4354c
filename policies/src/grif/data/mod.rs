//! From demonstrations to batches: actions, goals, augmentation, normalisation.

pub mod actions;
pub mod augment;
pub mod bicubic;
pub mod goals;
pub mod hue;
