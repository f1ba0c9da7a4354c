//! One time-synchronised view of the robot, as policies see it.

use serde::{Deserialize, Serialize};

use crate::{Frame, JointState, Stamp, Tick};

/// Pose of the tool centre point in the robot's base frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpPose {
    /// Position, metres.
    pub position: [f64; 3],
    /// Unit quaternion, `x y z w`.
    pub orientation: [f64; 4],
}

/// All inputs of one decision. Assembled on the robot; not a wire message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Control tick at which the newest part arrived.
    pub tick: Tick,
    /// Stamp of the oldest part.
    pub stamp: Stamp,
    /// Latest image of each camera, sorted by camera name.
    pub frames: Vec<Frame>,
    /// Latest joint state.
    pub joints: JointState,
    /// Tool pose by forward kinematics of `joints`, where the robot is described.
    pub tcp: Option<TcpPose>,
    /// True state of the things that the task is about, which a simulator alone knows; empty
    /// elsewhere. It never crosses the network.
    pub world: Vec<f32>,
}

impl Observation {
    /// The image of the named camera.
    pub fn frame(&self, camera: &str) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.camera == camera)
    }
}
