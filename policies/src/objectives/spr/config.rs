//! Options.

use serde::{Deserialize, Serialize};

/// Norms inside the transition model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Over batch and pixels.
    Batch,
    /// Over each image (a group norm with one group).
    Layer,
    /// Over each channel of each image.
    Instance,
    /// None.
    None,
}

/// What latents are projected by before they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionKind {
    /// The first hidden layers of the value head, without noise: its tensors are shared.
    HeadHidden,
    /// The whole value head.
    HeadOutput,
    /// A linear layer of its own, whose target does not follow.
    Bilinear,
    /// Linear, batch norm, ReLU, linear.
    Mlp,
    /// None.
    Identity,
}

/// What the online side predicts the target's projection with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionKind {
    /// A linear layer.
    Linear,
    /// Linear, batch norm, ReLU, linear.
    Mlp,
    /// None.
    Identity,
}

/// Which of the head's first layers a [`ProjectionKind::HeadHidden`] takes, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadHidden {
    /// The value's (of a dueling head).
    pub value: bool,
    /// The advantage's (of a dueling head).
    pub advantage: bool,
    /// With noise.
    pub noisy: bool,
    /// With ReLU.
    pub relu: bool,
}

/// Sizes and options of the model. The defaults are the authors' for Atari.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SprConfig {
    /// Rows and columns of an image.
    pub image: usize,
    /// Channels of a stack of frames.
    pub channels: usize,
    /// Actions.
    pub actions: usize,
    /// Atoms of the value's distribution.
    pub atoms: usize,
    /// Channels of the encoder's three convolutions.
    pub encoder: [usize; 3],
    /// Hidden numbers of the value head.
    pub hidden: usize,
    /// Steps that are predicted.
    pub jumps: usize,
    /// Norms of the transition model.
    pub norm: NormKind,
    /// Residual blocks of the transition model.
    pub blocks: usize,
    /// Whether the transition model adds to its input.
    pub residual: bool,
    /// Whether latents are brought to 0 … 1 per image.
    pub renormalize: bool,
    /// Whether value and advantage have layers of their own.
    pub dueling: bool,
    /// Whether the head's layers are noisy.
    pub noisy: bool,
    /// Projection.
    pub projection: ProjectionKind,
    /// Layers of a [`ProjectionKind::HeadHidden`].
    pub head_hidden: HeadHidden,
    /// Prediction on the online side.
    pub prediction: PredictionKind,
    /// Compare whole latents.
    pub global: bool,
    /// Compare latents pixel by pixel.
    pub local: bool,
    /// Share of the new weights in the target's, per update.
    pub target_rate: f32,
}

impl Default for SprConfig {
    fn default() -> Self {
        Self {
            image: 84,
            channels: 4,
            actions: 6,
            atoms: 51,
            encoder: [32, 64, 64],
            hidden: 256,
            jumps: 5,
            norm: NormKind::Batch,
            blocks: 0,
            residual: false,
            renormalize: true,
            dueling: true,
            noisy: true,
            projection: ProjectionKind::HeadHidden,
            head_hidden: HeadHidden {
                value: true,
                advantage: true,
                noisy: false,
                relu: false,
            },
            prediction: PredictionKind::Linear,
            global: true,
            local: false,
            target_rate: 1.0,
        }
    }
}

impl SprConfig {
    /// Rows and columns of a latent.
    pub fn latent_side(&self) -> usize {
        let after = |size: usize, kernel: usize, stride: usize| {
            size.checked_sub(kernel).map_or(0, |room| room / stride + 1)
        };
        after(after(after(self.image, 8, 4), 4, 2), 3, 1)
    }

    /// Numbers of a latent.
    pub fn latent_len(&self) -> usize {
        self.latent_side() * self.latent_side() * self.encoder[2]
    }

    /// Numbers of a global projection.
    pub fn projected(&self) -> usize {
        match self.projection {
            ProjectionKind::HeadHidden if self.dueling => {
                let layers =
                    usize::from(self.head_hidden.value) + usize::from(self.head_hidden.advantage);
                layers * self.hidden
            }
            ProjectionKind::HeadHidden => self.hidden,
            ProjectionKind::HeadOutput => self.actions * self.atoms,
            ProjectionKind::Mlp => super::projection::MLP_OUTPUT,
            ProjectionKind::Bilinear | ProjectionKind::Identity => self.latent_len(),
        }
    }

    /// What is wrong with the configuration, if anything.
    pub fn problem(&self) -> Option<String> {
        let sizes = [self.channels, self.actions, self.atoms, self.hidden];
        if sizes.contains(&0) || self.encoder.contains(&0) {
            return Some("a size of zero".into());
        }
        if self.latent_side() == 0 {
            let image = self.image;
            return Some(format!("an image of {image} is too small for the encoder"));
        }
        if !self.global && !self.local {
            return Some("neither whole latents nor pixels are compared".into());
        }
        let shareable = matches!(
            self.projection,
            ProjectionKind::Bilinear | ProjectionKind::Identity
        );
        if self.local && (!shareable || self.prediction == PredictionKind::Mlp) {
            return Some("pixels are compared with linear projections only".into());
        }
        (self.global && self.projected() == 0)
            .then(|| "the projection takes no layer of the head".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_atari() {
        let config = SprConfig::default();
        assert_eq!(config.problem(), None);
        assert_eq!((config.latent_side(), config.latent_len()), (7, 3136));
        assert_eq!(config.projected(), 512);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let with = |change: fn(&mut SprConfig)| {
            let mut config = SprConfig::default();
            change(&mut config);
            config.problem()
        };
        assert!(with(|c| c.image = 20).is_some());
        assert!(with(|c| c.local = true).is_some());
        assert!(with(|c| c.global = false).is_some());
        assert!(
            with(|c| c.head_hidden = HeadHidden {
                value: false,
                advantage: false,
                noisy: false,
                relu: false
            })
            .is_some()
        );
        assert!(with(|c| c.atoms = 0).is_some());
    }
}
