//! The most that one message may hold. A receiver refuses more before it allocates.

/// Bytes of an image, as sent and as kept (three per pixel).
pub const MAX_IMAGE_BYTES: usize = 64 << 20;
/// Columns or rows of an image.
pub const MAX_IMAGE_SIDE: u32 = 16_384;
/// Bytes of a compressed image.
pub const MAX_COMPRESSED_BYTES: usize = 64 << 20;
/// Bytes of a string.
pub const MAX_TEXT_BYTES: usize = 64 << 10;
/// Joints of a joint state or command.
pub const MAX_JOINTS: usize = 256;
/// Points of a command.
pub const MAX_TRAJECTORY_POINTS: usize = 1024;
/// Numbers of an action chunk.
pub const MAX_ACTION_VALUES: usize = 64 << 10;
/// Numbers of a latent.
pub const MAX_LATENT_VALUES: usize = 4 << 20;
/// Dimensions of a latent.
pub const MAX_LATENT_RANK: usize = 8;
/// Numbers of a goal that is a state or samples of a reward.
pub const MAX_GOAL_VALUES: usize = 1 << 20;
/// Concepts of a goal.
pub const MAX_CONCEPTS: usize = 4096;
