//! From observations to network inputs.

use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{Frame, JointState, Observation, TcpPose};

use super::config::{CameraConfig, MdtConfig, TABLETOP_PROPRIOCEPTION};
use super::denoiser::GoalHead;
use super::model::Inputs;
use super::statistics::Statistics;
use crate::error::PolicyError;
use crate::images::{Normaliser, resize};

/// Name of the gripper among the joints.
const GRIPPER: &str = "gripper";
/// Arm joints in the proprioception vector.
const ARM_JOINTS: usize = 7;

/// The proprioception vector of an arm with seven joints and a gripper: tool position [m] (3),
/// first two columns of the tool's rotation matrix (6; continuous, unlike angles or quaternions,
/// Zhou et al., arXiv 1812.07035), gripper opening [m] (1), arm joint positions [rad] (7, in the
/// order of the message without the gripper).
///
/// # Errors
/// If the gripper or an arm joint is missing.
pub fn proprioception(joints: &JointState, tcp: &TcpPose) -> Result<Vec<f32>, PolicyError> {
    let missing = |what: &str| PolicyError::MissingInput {
        what: what.into(),
        needed: format!("tool pose, joint `{GRIPPER}` and {ARM_JOINTS} arm joints"),
    };
    let named = || joints.names.iter().zip(&joints.position);
    let opening = named()
        .find(|(name, _)| *name == GRIPPER)
        .map(|(_, position)| *position)
        .ok_or_else(|| missing("joint `gripper`"))?;
    let arm = named()
        .filter(|(name, _)| *name != GRIPPER)
        .map(|(_, position)| *position as f32)
        .take(ARM_JOINTS)
        .collect::<Vec<_>>();
    if arm.len() < ARM_JOINTS {
        return Err(missing("arm joint"));
    }
    let [x, y, z, w] = tcp.orientation;
    let columns = [
        1.0 - 2.0 * (y * y + z * z),
        2.0 * (x * y + z * w),
        2.0 * (x * z - y * w),
        2.0 * (x * y - z * w),
        1.0 - 2.0 * (x * x + z * z),
        2.0 * (y * z + x * w),
    ];
    let mut vector = Vec::with_capacity(TABLETOP_PROPRIOCEPTION);
    vector.extend(tcp.position.map(|value| value as f32));
    vector.extend(columns.map(|value| value as f32));
    vector.push(opening as f32);
    vector.extend(arm);
    Ok(vector)
}

/// [`proprioception`] of an observation, finite.
///
/// # Errors
/// If the tool pose, the gripper or an arm joint is missing, or a number is not finite.
pub fn robot_state(observation: &Observation) -> Result<Vec<f32>, PolicyError> {
    let tcp = observation.tcp.ok_or_else(|| PolicyError::MissingInput {
        what: "tool pose".into(),
        needed: "forward kinematics of the joint state".into(),
    })?;
    let vector = proprioception(&observation.joints, &tcp)?;
    if vector.iter().any(|value| !value.is_finite()) {
        return Err(PolicyError::InputShape {
            what: "proprioception".into(),
            expected: "finite numbers".into(),
            found: "NaN or infinity".into(),
            advice: "check the joint sensors".into(),
        });
    }
    Ok(vector)
}

/// The pixels of a camera.
///
/// # Errors
/// If the observation lacks the camera or its size differs.
pub fn pixels<'a>(
    observation: &'a Observation,
    camera: &CameraConfig,
) -> Result<&'a [u8], PolicyError> {
    square_pixels(observation, &camera.name, camera.size)
}

/// The pixels of a camera by its name, with `side` rows and columns.
///
/// # Errors
/// As [`pixels`].
pub fn square_pixels<'a>(
    observation: &'a Observation,
    name: &str,
    side: usize,
) -> Result<&'a [u8], PolicyError> {
    let frame = observation
        .frame(name)
        .ok_or_else(|| PolicyError::MissingInput {
            what: format!("image of camera `{name}`"),
            needed: format!("a {side}x{side} rgb8 image of it"),
        })?;
    checked_pixels(frame, name, side)
}

/// The pixels of a picture of a camera.
///
/// # Errors
/// If its size differs.
pub(crate) fn checked_pixels<'a>(
    frame: &'a Frame,
    name: &str,
    side: usize,
) -> Result<&'a [u8], PolicyError> {
    let side = side as u32;
    if frame.width != side
        || frame.height != side
        || frame.data.len() != Frame::expected_len(side, side)
    {
        return Err(PolicyError::InputShape {
            what: format!("image of camera `{name}`"),
            expected: format!("{side}x{side} rgb8"),
            found: format!(
                "{}x{} with {} bytes",
                frame.width,
                frame.height,
                frame.data.len()
            ),
            advice:
                "set the camera to that size where it is driven, or run a policy that was trained \
                     at the camera's"
                    .into(),
        });
    }
    Ok(&frame.data)
}

/// A goal as the network reads it.
#[derive(Clone, Debug)]
pub struct GoalVector {
    /// `goal_dim` numbers.
    pub values: Vec<f32>,
    /// Whether it was told, else shown.
    pub told: bool,
}

/// Collects observations on the CPU and moves them to the device as one batch.
pub struct InputBatch<'a> {
    config: &'a MdtConfig,
    statistics: &'a Statistics,
    normaliser: Normaliser,
    images: [Vec<f32>; 2],
    goals: Vec<f32>,
    told: Vec<bool>,
    states: Vec<f32>,
    rows: usize,
}

impl<'a> InputBatch<'a> {
    /// An empty batch.
    pub fn new(config: &'a MdtConfig, statistics: &'a Statistics) -> Self {
        Self {
            config,
            statistics,
            normaliser: Normaliser::default(),
            images: [Vec::new(), Vec::new()],
            goals: Vec::new(),
            told: Vec::new(),
            states: Vec::new(),
            rows: 0,
        }
    }

    /// Adds an observation with its goal vector.
    ///
    /// # Errors
    /// If the observation lacks an input or one has another size; the batch is unusable then.
    pub fn push(
        &mut self,
        observation: &Observation,
        goal: &GoalVector,
    ) -> Result<(), PolicyError> {
        let GoalVector { values: goal, told } = goal;
        let expected = self.config.denoiser.goal_dim;
        if goal.len() != expected {
            return Err(PolicyError::InputShape {
                what: "goal vector".into(),
                expected: format!("{expected} numbers"),
                found: format!("{} numbers", goal.len()),
                advice: "use the sentence encoder that the policy was trained with".into(),
            });
        }
        for (camera, values) in self.config.cameras().into_iter().zip(&mut self.images) {
            self.normaliser.apply(pixels(observation, camera)?, values);
        }
        self.goals.extend_from_slice(goal);
        self.told.push(*told);
        if self.config.denoiser.proprioception > 0 {
            let vector = robot_state(observation)?;
            self.statistics.normalise(&vector, &mut self.states);
        }
        self.rows += 1;
        Ok(())
    }

    /// The batch on the device.
    pub fn finish(self, device: &Device) -> Inputs {
        let [static_size, gripper_size] = self.config.cameras().map(|camera| camera.size);
        let [static_images, gripper_images] = self.images;
        let rows = self.rows;
        let images = |values: Vec<f32>, size: usize| {
            Tensor::from_data(TensorData::new(values, [rows, size, size, 3]), device)
        };
        let width = self.config.denoiser.proprioception;
        Inputs {
            static_images: images(static_images, static_size),
            gripper_images: images(gripper_images, gripper_size),
            head: GoalHead::of(&self.told, device),
            goal: Tensor::from_data(
                TensorData::new(self.goals, [rows, self.config.denoiser.goal_dim]),
                device,
            ),
            proprioception: (width > 0)
                .then(|| Tensor::from_data(TensorData::new(self.states, [rows, width]), device)),
        }
    }
}

/// Target images of masked generative foresight, `[batch, 2, side, side, 3]`: both cameras of every
/// observation, resized and normalised.
///
/// # Errors
/// As [`InputBatch::push`].
pub fn foresight_targets<'a>(
    observations: impl Iterator<Item = &'a Observation>,
    config: &MdtConfig,
    side: usize,
    device: &Device,
) -> Result<Tensor<5>, PolicyError> {
    let normaliser = Normaliser::default();
    let mut values = Vec::new();
    let mut rows = 0;
    let mut image = Vec::new();
    for observation in observations {
        for camera in config.cameras() {
            image.clear();
            normaliser.apply(pixels(observation, camera)?, &mut image);
            values.extend(resize(&image, 3, camera.size, side));
        }
        rows += 1;
    }
    Ok(Tensor::from_data(
        TensorData::new(values, [rows, 2, side, side, 3]),
        device,
    ))
}
