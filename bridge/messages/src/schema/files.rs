//! The `.msg` files, compiled in.

macro_rules! files {
    ($($ros_type:literal => $path:literal,)*) => {
        /// All types with a definition, sorted.
        pub const ROS_TYPES: [&str; [$($ros_type),*].len()] = [$($ros_type),*];

        /// The text of a type's `.msg` file; `ros_type` is for example `std_msgs/msg/String`.
        pub fn source(ros_type: &str) -> Option<&'static str> {
            match ros_type {
                $($ros_type => Some(include_str!(concat!("../../msg/", $path))),)*
                _ => None,
            }
        }
    };
}

files! {
    "builtin_interfaces/msg/Duration" => "ros2/builtin_interfaces/msg/Duration.msg",
    "builtin_interfaces/msg/Time" => "ros2/builtin_interfaces/msg/Time.msg",
    "cerebellum_msgs/msg/ActionChunk" => "cerebellum_msgs/msg/ActionChunk.msg",
    "cerebellum_msgs/msg/EpisodeRequest" => "cerebellum_msgs/msg/EpisodeRequest.msg",
    "cerebellum_msgs/msg/EpisodeStatus" => "cerebellum_msgs/msg/EpisodeStatus.msg",
    "cerebellum_msgs/msg/Goal" => "cerebellum_msgs/msg/Goal.msg",
    "cerebellum_msgs/msg/Latent" => "cerebellum_msgs/msg/Latent.msg",
    "cerebellum_msgs/msg/LearnerReport" => "cerebellum_msgs/msg/LearnerReport.msg",
    "cerebellum_msgs/msg/RuntimeStatus" => "cerebellum_msgs/msg/RuntimeStatus.msg",
    "rosgraph_msgs/msg/Clock" => "ros2/rosgraph_msgs/msg/Clock.msg",
    "sensor_msgs/msg/CompressedImage" => "ros2/sensor_msgs/msg/CompressedImage.msg",
    "sensor_msgs/msg/Image" => "ros2/sensor_msgs/msg/Image.msg",
    "sensor_msgs/msg/JointState" => "ros2/sensor_msgs/msg/JointState.msg",
    "std_msgs/msg/Header" => "ros2/std_msgs/msg/Header.msg",
    "std_msgs/msg/String" => "ros2/std_msgs/msg/String.msg",
    "trajectory_msgs/msg/JointTrajectory" => "ros2/trajectory_msgs/msg/JointTrajectory.msg",
    "trajectory_msgs/msg/JointTrajectoryPoint" => "ros2/trajectory_msgs/msg/JointTrajectoryPoint.msg",
}
