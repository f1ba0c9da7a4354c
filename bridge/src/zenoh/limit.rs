//! The most that one payload of a topic may hold [bytes]. A receiver refuses more undecoded.
//!
//! These are below the codec's own limits: they fit what the topic is for.

/// Clocks, joint states, headers.
pub const SMALL: usize = 64 << 10;
/// Commands, episodes, instructions.
pub const EVENT: usize = 256 << 10;
/// Goals, which may hold an image.
pub const GOAL: usize = 16 << 20;
/// Images, unless the configuration says otherwise: five megapixels.
pub const IMAGE: usize = 16 << 20;
