//! Vectors out of the policy.

use cerebellum_messages::LatentSample;
use rerun::{BarChart, LineStrips2D, Points2D, Tensor, TensorBuffer, TensorData};

use super::{Scribe, Written, entity, path};

/// Longest vector shown as bars.
const BARS: usize = 1024;
/// Kinds of vectors that have a plane of their own; further ones are shown as numbers only.
const PLANES: usize = 32;

impl Scribe {
    /// A vector as bars or a table, and where it lies among those before it.
    pub(super) fn latent(&mut self, latent: &LatentSample) -> Written {
        if latent.validate().is_err() {
            return Ok(());
        }
        let values = &latent.values;
        let here = entity(path::LATENT, &latent.name);
        let lengths = latent.shape.iter().filter(|&&length| length > 1);
        if lengths.count() <= 1 && values.len() <= BARS {
            self.stream.log(here, &BarChart::new(values.clone()))?;
        } else {
            let shape: Vec<_> = latent.shape.iter().copied().map(u64::from).collect();
            let table = TensorData::new(shape, TensorBuffer::F32(values.clone().into()));
            self.stream.log(here, &Tensor::new(table))?;
        }
        self.trail(&latent.name, values)
    }

    fn trail(&mut self, name: &str, values: &[f32]) -> Written {
        if !self.projections.contains_key(name) && self.projections.len() >= PLANES {
            return Ok(());
        }
        let projection = self.projections.entry(name.to_owned()).or_default();
        let trail = projection.push(values);
        let Some(&newest) = trail.last() else {
            return Ok(());
        };
        let here = entity(path::LATENT_TRAIL, name);
        let point = Points2D::new([newest])
            .with_radii([-6.0])
            .with_labels([name]);
        self.stream.log(here.clone() / "now", &point)?;
        let line = LineStrips2D::new([trail]).with_radii([-1.5]);
        self.stream.log(here / "trail", &line)
    }
}
