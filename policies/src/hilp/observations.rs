//! Observations: states or images.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// What an observation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ObservationShape {
    /// A vector.
    State {
        /// Numbers.
        width: usize,
    },
    /// An image of bytes, channels last.
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels.
        channels: usize,
    },
}

/// A batch of observations.
#[derive(Clone, Debug)]
pub enum Observations {
    /// `[batch, width]`.
    States(Tensor<2>),
    /// Bytes as numbers, `[batch, height, width, channels]`.
    Images(Tensor<4>),
}

impl ObservationShape {
    /// Numbers or bytes of an observation.
    pub const fn len(self) -> usize {
        match self {
            Self::State { width } => width,
            Self::Image {
                height,
                width,
                channels,
            } => height * width * channels,
        }
    }

    /// Whether an observation holds nothing.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl Observations {
    /// States of `width` numbers, row-major; numbers beyond the last whole row are dropped.
    pub fn states(rows: &[f32], width: usize, device: &Device) -> Self {
        let count = rows.len().checked_div(width).unwrap_or(0);
        let rows = rows.get(..count * width).unwrap_or_default().to_vec();
        Self::States(Tensor::from_data(
            TensorData::new(rows, [count, width]),
            device,
        ))
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::States(states) => states.dims()[0],
            Self::Images(images) => images.dims()[0],
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the rows are of a shape.
    pub fn fits(&self, shape: ObservationShape) -> bool {
        match (self, shape) {
            (Self::States(states), ObservationShape::State { width }) => states.dims()[1] == width,
            (
                Self::Images(images),
                ObservationShape::Image {
                    height,
                    width,
                    channels,
                },
            ) => images.dims()[1..] == [height, width, channels],
            _ => false,
        }
    }

    /// With further numbers per row, `[batch, extra]`: behind a state, or as constant channels
    /// behind an image's (which the encoder divides by 255 with the pixels, as the authors' does).
    #[must_use]
    pub fn with(self, extra: Tensor<2>) -> Self {
        match self {
            Self::States(states) => Self::States(Tensor::cat(vec![states, extra], 1)),
            Self::Images(images) => {
                let [batch, height, width, _] = images.dims();
                let [_, channels] = extra.dims();
                let planes = extra
                    .reshape([batch, 1, 1, channels])
                    .expand([batch, height, width, channels]);
                Self::Images(Tensor::cat(vec![images, planes], 3))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::vec;

    #[test]
    fn further_numbers_follow_a_state_and_become_channels_of_an_image() {
        let device = Device::flex();
        let extra = Tensor::from_floats([[7.0, 8.0]], &device);
        let states = Observations::States(Tensor::from_floats([[1.0]], &device));
        assert!(states.fits(ObservationShape::State { width: 1 }));
        let Observations::States(wide) = states.with(extra.clone()) else {
            return assert_eq!("images", "states");
        };
        assert_eq!(vec(wide), [1.0, 7.0, 8.0]);
        let images = Observations::Images(Tensor::from_floats([[[[1.0], [2.0]]]], &device));
        let shape = ObservationShape::Image {
            height: 1,
            width: 2,
            channels: 1,
        };
        assert!(images.fits(shape) && images.len() == 1 && !images.is_empty());
        let Observations::Images(deep) = images.with(extra) else {
            return assert_eq!("states", "images");
        };
        assert_eq!(vec(deep), [1.0, 7.0, 8.0, 2.0, 7.0, 8.0]);
    }
}
