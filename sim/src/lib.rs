//! In the making.

pub mod render;
