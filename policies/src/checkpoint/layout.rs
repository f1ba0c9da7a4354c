//! How a foreign file arranges the numbers of a tensor.

use super::tree::TensorSpec;
use crate::policy::WeightTensor;

/// Layout of a file's tensors, and with it the spelling of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// PyTorch: matrices of linear layers are (out, in), kernels of convolutions (out, in, height,
    /// width), keys have dots.
    Torch,
    /// Flax: matrices are (in, out), kernels (height, width, in, out), keys have slashes, and gains,
    /// matrices and tables are called `scale`, `kernel` and `embedding` instead of `weight`.
    Flax,
}

impl Layout {
    /// The key with dots and our names of a layer's tensors.
    pub fn dotted(self, key: &str) -> String {
        match self {
            Self::Torch => key.to_owned(),
            Self::Flax => {
                let dotted = key.replace('/', ".");
                match dotted.rsplit_once('.') {
                    Some((layer, "kernel" | "scale" | "embedding")) => format!("{layer}.weight"),
                    _ => dotted,
                }
            }
        }
    }

    /// A foreign tensor in our layout; `None` if its shape cannot be that of `spec`.
    pub fn to_ours(self, tensor: &WeightTensor, spec: &TensorSpec) -> Option<WeightTensor> {
        let scalar = tensor.shape.is_empty() && spec.shape == [1];
        let shape = if scalar { &[1] } else { &tensor.shape[..] };
        let axes = match (self, shape.len()) {
            (Self::Torch, 2) if spec.linear => &[1, 0][..],
            (Self::Torch, _) if spec.linear => return None,
            // (height, width, in, out) to (out, in, height, width).
            (Self::Flax, 4) => &[3, 2, 0, 1],
            _ => &[],
        };
        let (shape, values) = permuted(shape, &tensor.values, axes)?;
        Some(WeightTensor { shape, values })
    }

    /// Shape of one of our tensors in the foreign layout.
    pub fn shape_there(self, spec: &TensorSpec) -> Vec<usize> {
        let axes = self.axes_there(spec);
        if axes.is_empty() {
            return spec.shape.clone();
        }
        axes.iter().map(|&axis| spec.shape[axis]).collect()
    }

    /// Values of one of our tensors in the foreign layout; `None` if they are not as many as its
    /// shape says.
    pub fn to_theirs<T: Copy>(self, values: &[T], spec: &TensorSpec) -> Option<Vec<T>> {
        permuted(&spec.shape, values, self.axes_there(spec)).map(|(_, values)| values)
    }

    fn axes_there(self, spec: &TensorSpec) -> &'static [usize] {
        match (self, spec.shape.len()) {
            (Self::Torch, 2) if spec.linear => &[1, 0],
            (Self::Flax, 4) => &[2, 3, 1, 0],
            _ => &[],
        }
    }
}

/// A tensor with its axes in another order: axis `i` of the result is axis `axes[i]` of the tensor.
/// No axes leave it as it is; `None` if the values are not as many as the shape says.
pub fn permuted<T: Copy>(
    shape: &[usize],
    values: &[T],
    axes: &[usize],
) -> Option<(Vec<usize>, Vec<T>)> {
    if values.len() != shape.iter().product::<usize>() {
        return None;
    }
    if axes.is_empty() {
        return Some((shape.to_vec(), values.to_vec()));
    }
    let strides = (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product::<usize>())
        .collect::<Vec<_>>();
    let target = axes.iter().map(|&axis| shape[axis]).collect::<Vec<_>>();
    let steps = axes.iter().map(|&axis| strides[axis]).collect::<Vec<_>>();
    let mut moved = Vec::with_capacity(values.len());
    let mut index = vec![0; target.len()];
    let mut from = 0;
    for _ in 0..values.len() {
        moved.push(values[from]);
        for axis in (0..target.len()).rev() {
            index[axis] += 1;
            from += steps[axis];
            if index[axis] < target[axis] {
                break;
            }
            from -= steps[axis] * target[axis];
            index[axis] = 0;
        }
    }
    Some((target, moved))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn spec(shape: &[usize], linear: bool) -> TensorSpec {
        TensorSpec {
            key: "layer.weight".into(),
            shape: shape.to_vec(),
            linear,
        }
    }

    #[test]
    fn axes_move() {
        let (shape, values) = permuted(&[2, 3], &[1, 2, 3, 4, 5, 6], &[1, 0]).unwrap();
        assert_eq!(shape, [3, 2]);
        assert_eq!(values, [1, 4, 2, 5, 3, 6]);
        assert!(permuted(&[2, 3], &[1, 2], &[1, 0]).is_none());
    }

    #[test]
    fn kernels_go_there_and_back() {
        let shape = [2, 3, 1, 2];
        let theirs = WeightTensor {
            shape: shape.to_vec(),
            values: (0..12).map(|i| i as f32).collect(),
        };
        let spec = spec(&[2, 1, 2, 3], false);
        let ours = Layout::Flax.to_ours(&theirs, &spec).unwrap();
        assert_eq!(ours.shape, spec.shape);
        // Height 1, width 2, in 0, out 1 is the last number there.
        assert_eq!(ours.values[11], 11.0);
        assert_eq!(ours.values[1], 2.0);
        assert_eq!(Layout::Flax.shape_there(&spec), theirs.shape);
        let back = Layout::Flax.to_theirs(&ours.values, &spec).unwrap();
        assert_eq!(back, theirs.values);
    }

    #[test]
    fn matrices_turn_for_torch_only() {
        let tensor = WeightTensor {
            shape: vec![2, 1],
            values: vec![1.0, 2.0],
        };
        let turned = Layout::Torch
            .to_ours(&tensor, &spec(&[1, 2], true))
            .unwrap();
        assert_eq!(turned.shape, [1, 2]);
        let kept = Layout::Flax.to_ours(&tensor, &spec(&[2, 1], true)).unwrap();
        assert_eq!(kept.shape, [2, 1]);
        let flat = WeightTensor {
            shape: vec![2],
            values: vec![1.0, 2.0],
        };
        assert!(Layout::Torch.to_ours(&flat, &spec(&[1, 2], true)).is_none());
    }

    #[test]
    fn a_scalar_is_a_vector_of_one() {
        let scalar = WeightTensor {
            shape: vec![],
            values: vec![3.0],
        };
        let ours = Layout::Flax.to_ours(&scalar, &spec(&[1], false)).unwrap();
        assert_eq!(ours.shape, [1]);
    }

    #[test]
    fn keys_are_spelled_with_dots() {
        assert_eq!(Layout::Flax.dotted("a/b/kernel"), "a.b.weight");
        assert_eq!(Layout::Flax.dotted("norm/scale"), "norm.weight");
        assert_eq!(Layout::Flax.dotted("norm/bias"), "norm.bias");
        assert_eq!(Layout::Flax.dotted("temperature"), "temperature");
        assert_eq!(Layout::Torch.dotted("a/kernel"), "a/kernel");
    }
}
