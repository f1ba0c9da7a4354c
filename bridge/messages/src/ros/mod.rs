//! Wire formats, one file per ROS message.
//!
//! Where a type of this crate is not what ROS calls it: [`Stamp`](crate::Stamp) is
//! `builtin_interfaces/Time`, [`Frame`](crate::Frame) is `sensor_msgs/Image`,
//! [`Command`](crate::Command) is `trajectory_msgs/JointTrajectory`, [`Text`] is
//! `std_msgs/String` and [`LatentSample`](crate::LatentSample) is `cerebellum_msgs/Latent`.

mod cerebellum_msgs;
mod clock;
mod compressed_image;
mod image;
mod joint_state;
mod joint_trajectory;
mod pixels;
mod std_msgs;
mod time;

pub use clock::Clock;
pub use compressed_image::CompressedImage;
pub use std_msgs::{Header, Text};
