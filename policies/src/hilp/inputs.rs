//! From observations and goals to what the networks read.

use burn::tensor::{Device, Tensor, TensorData};
use cerebellum_messages::{Frame, Observation};

use super::config::{InputConfig, THING};
use super::{ObservationShape, Observations};
use crate::error::PolicyError;
use crate::mdt::Statistics;
use crate::mdt::inputs::{robot_state, square_pixels};

/// Collects rows on the CPU and moves them to the device as one batch.
pub struct InputRows<'a> {
    config: &'a InputConfig,
    statistics: &'a Statistics,
    values: Vec<f32>,
}

impl<'a> InputRows<'a> {
    /// An empty batch.
    pub const fn new(config: &'a InputConfig, statistics: &'a Statistics) -> Self {
        Self {
            config,
            statistics,
            values: Vec::new(),
        }
    }

    /// Adds an observation.
    ///
    /// # Errors
    /// If it lacks an input, or one has another size or is not finite.
    pub fn push(&mut self, observation: &Observation) -> Result<(), PolicyError> {
        match self.config {
            InputConfig::Proprioception => {
                let state = robot_state(observation)?;
                self.push_states(&state);
            }
            InputConfig::Tracked => {
                let state = tracked_state(observation)?;
                self.push_states(&state);
            }
            InputConfig::Cameras { names, size } => {
                let mut pictures = Vec::with_capacity(names.len());
                for name in names {
                    let pixels = square_pixels(observation, name, *size)?;
                    pictures.push((pixels, 0, *size));
                }
                self.push_pictures(&pictures, *size);
            }
        }
        Ok(())
    }

    /// Adds vectors that are not normalised, row-major.
    pub fn push_states(&mut self, states: &[f32]) {
        let width = self.config.shape().len().max(1);
        for state in states.chunks_exact(width) {
            self.statistics.normalise(state, &mut self.values);
        }
    }

    /// Adds the picture of a goal: the views of all cameras side by side.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push_goal_picture(&mut self, frame: &Frame) -> Result<(), String> {
        let InputConfig::Cameras { names, size } = self.config else {
            return Err("the policy does not see".into());
        };
        let expected = names.join("+");
        if frame.camera != expected {
            return Err(format!(
                "its picture is of camera `{}`: the policy needs one of `{expected}`, views side \
                 by side",
                frame.camera
            ));
        }
        let (width, height) = (frame.width as usize, frame.height as usize);
        if (width, height) != (size * names.len(), *size)
            || frame.data.len() != Frame::expected_len(frame.width, frame.height)
        {
            return Err(format!(
                "its picture is {width}x{height} with {} bytes, expected {}x{size} rgb8",
                frame.data.len(),
                size * names.len()
            ));
        }
        let views = (0..names.len()).map(|view| (&frame.data[..], view * size, width));
        let views = views.collect::<Vec<_>>();
        self.push_pictures(&views, *size);
        Ok(())
    }

    /// Adds a picture of several views: bytes, first column and columns per row of each.
    fn push_pictures(&mut self, views: &[(&[u8], usize, usize)], size: usize) {
        for row in 0..size {
            for column in 0..size {
                for (bytes, first, columns) in views {
                    let pixel = 3 * (row * columns + first + column);
                    let pixel = bytes.get(pixel..pixel + 3).unwrap_or(&[0; 3]);
                    self.values
                        .extend(pixel.iter().map(|&byte| f32::from(byte)));
                }
            }
        }
    }

    /// The rows, normalised, row-major.
    pub fn values(self) -> Vec<f32> {
        self.values
    }

    /// The batch on a device.
    pub fn finish(self, device: &Device) -> Observations {
        on_device(self.values, self.config.shape(), device)
    }
}

/// Beginning of the names under which a tracking system reports a thing among the joints.
const THING_NAMES: &str = "thing/";

/// [`robot_state`], then what a tracking system reports of a thing among the joints, under names
/// that begin with `thing/`: position (3), two columns of its rotation matrix (6), share of its
/// joint's way (1) and kind (5); then the way from the tool to it (3).
///
/// # Errors
/// As [`robot_state`], or if the report is missing.
pub fn tracked_state(observation: &Observation) -> Result<Vec<f32>, PolicyError> {
    let mut state = robot_state(observation)?;
    let robot = state.len();
    let joints = observation.joints.names.iter();
    let joints = joints.zip(&observation.joints.position);
    let thing = joints.filter(|(name, _)| name.starts_with(THING_NAMES));
    state.extend(thing.map(|(_, value)| *value as f32));
    if state.len() != robot + THING || state.iter().any(|value| !value.is_finite()) {
        return Err(PolicyError::MissingInput {
            what: "report of the thing on the table".into(),
            needed: format!("{THING} finite numbers of a tracking system, `{THING_NAMES}…`"),
        });
    }
    let offset = [0, 1, 2].map(|axis| state[robot + axis] - state[axis]);
    state.extend(offset);
    Ok(state)
}

/// Rows of numbers as a batch of observations.
pub fn on_device(values: Vec<f32>, shape: ObservationShape, device: &Device) -> Observations {
    match shape {
        ObservationShape::State { width } => Observations::states(&values, width, device),
        ObservationShape::Image {
            height,
            width,
            channels,
        } => {
            let rows = values.len() / shape.len().max(1);
            let shape = [rows, height, width, channels];
            Observations::Images(Tensor::from_data(TensorData::new(values, shape), device))
        }
    }
}

/// The views of several cameras side by side, as a goal of a policy that sees. `None` if there is
/// no picture or their heights differ.
pub fn side_by_side(frames: &[&Frame]) -> Option<Frame> {
    let first = frames.first()?;
    let whole = |frame: &&&Frame| {
        frame.height == first.height
            && frame.data.len() == Frame::expected_len(frame.width, frame.height)
    };
    if !frames.iter().all(|frame| whole(&frame)) {
        return None;
    }
    let mut data = Vec::new();
    for row in 0..first.height as usize {
        for frame in frames {
            let bytes = 3 * frame.width as usize;
            data.extend_from_slice(frame.data.get(row * bytes..(row + 1) * bytes)?);
        }
    }
    let names = frames.iter().map(|frame| frame.camera.as_str());
    Some(Frame {
        camera: names.collect::<Vec<_>>().join("+"),
        stamp: first.stamp,
        width: frames.iter().map(|frame| frame.width).sum(),
        height: first.height,
        data: data.into(),
    })
}
