//! Names of the topics, as ROS 2 shows them.

/// Joint state, robot to runtime: `sensor_msgs/JointState`.
pub const JOINT_STATES: &str = "joint_states";
/// The world's time, robot to runtime: `rosgraph_msgs/Clock`.
pub const CLOCK: &str = "clock";
/// Commands, runtime to robot: `trajectory_msgs/JointTrajectory`.
pub const COMMAND: &str = "joint_trajectory";
/// Goals, anyone to runtime: `cerebellum_msgs/Goal`.
pub const GOAL: &str = "goal";
/// Instructions, anyone to runtime: `std_msgs/String`.
pub const GOAL_TEXT: &str = "goal/text";
/// Asks for an episode, harness to world: `cerebellum_msgs/EpisodeRequest`.
pub const EPISODE_REQUEST: &str = "cerebellum/episode_request";
/// Where the episode stands, world to harness: `cerebellum_msgs/EpisodeStatus`.
pub const EPISODE_STATUS: &str = "cerebellum/episode_status";
/// Plans, runtime to anyone: `cerebellum_msgs/ActionChunk`.
pub const CHUNK: &str = "cerebellum/chunk";
/// Vectors out of the policy, runtime to anyone: `cerebellum_msgs/Latent`.
pub const LATENT: &str = "cerebellum/latent";
/// The learner's updates and verdicts, runtime to anyone: `cerebellum_msgs/LearnerReport`.
pub const LEARNER: &str = "cerebellum/learner";
/// How the runtime is, runtime to anyone: `cerebellum_msgs/RuntimeStatus`.
pub const STATUS: &str = "cerebellum/status";

/// Images of the named camera, robot to runtime: `sensor_msgs/Image`.
pub fn image(camera: &str) -> String {
    format!("camera/{camera}/image")
}
