//! From the authors' parameter tree to our networks.
//!
//! Their tree is a Flax state dictionary, flattened to paths with slashes. Kernels are laid out as
//! here; networks that are not ensembles lack the axis of members.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, Layout, TensorSpec};
use crate::error::CheckpointError;
use crate::policy::Weights;

/// Keys of the authors' tree, from `networks_value/…` down, or of an image encoder alone.
pub const KEYS: KeyMap = KeyMap {
    renames: &[
        ("networks_", ""),
        ("skill_actor/Dense_0", "skill_actor/mean"),
        // The actor holds its encoder and its layers side by side.
        ("ImpalaEncoder_0/stack_blocks_", "encoder/stacks/"),
        ("skill_actor/encoder", "skill_actor/trunk/encoder"),
        ("skill_actor/MLP_0", "skill_actor/trunk/MLP_0"),
        // With images, the other networks are a sequence of encoder and layers.
        ("layers_0/stack_blocks_", "encoder/stacks/"),
        ("layers_1/Vmap", "Vmap"),
        ("layers_1/LayerNormMLP", "LayerNormMLP"),
        ("layers_1/MLP", "MLP"),
        ("stack_blocks_", "stacks/"),
        ("Conv_", "convs/"),
        ("/phi/", "/"),
        ("/value_net/", "/"),
        ("/critic_net/", "/"),
        ("VmapLayerNormMLP_0", "head"),
        ("LayerNormMLP_0", "head"),
        ("VmapMLP_0", "head"),
        ("MLP_0", "head"),
        ("Dense_", "dense/"),
        ("layers_", "dense/"),
        ("LayerNorm_", "norm/"),
        ("/", "."),
    ],
    ignored: &[],
    joined: &[],
    layout: Layout::Torch,
};

/// The tensors that `specs` name, out of the authors' tree.
///
/// # Errors
/// If a key is missing.
pub fn import(
    tensors: &Tensors,
    specs: &[TensorSpec],
    origin: &Path,
) -> Result<Weights, CheckpointError> {
    let weights = KEYS.import(tensors, specs, origin)?;
    let mut tensors = Arc::unwrap_or_clone(weights.tensors);
    for spec in specs {
        if let Some(tensor) = tensors.get_mut(&spec.key)
            && let Some((1, rest)) = spec.shape.split_first().map(|(&axis, rest)| (axis, rest))
            && tensor.shape == rest
        {
            tensor.shape.clone_from(&spec.shape);
        }
    }
    Ok(Weights {
        tensors: Arc::new(tensors),
        ..weights
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (theirs, ours) in [
            (
                "networks_value/phi/VmapLayerNormMLP_0/Dense_0/kernel",
                "value.head.dense.0.kernel",
            ),
            (
                "networks_target_value/phi/layers_1/VmapMLP_0/layers_2/bias",
                "target_value.head.dense.2.bias",
            ),
            (
                "networks_skill_value/value_net/layers_0/stack_blocks_1/Conv_2/kernel",
                "skill_value.encoder.stacks.1.convs.2.kernel",
            ),
            (
                "networks_skill_critic/critic_net/layers_1/VmapLayerNormMLP_0/LayerNorm_1/scale",
                "skill_critic.head.norm.1.scale",
            ),
            (
                "networks_skill_actor/MLP_0/layers_1/kernel",
                "skill_actor.trunk.head.dense.1.kernel",
            ),
            ("networks_skill_actor/Dense_0/bias", "skill_actor.mean.bias"),
            ("networks_skill_actor/log_stds", "skill_actor.log_stds"),
            (
                "networks_skill_actor/ImpalaEncoder_0/stack_blocks_0/Conv_0/bias",
                "skill_actor.trunk.encoder.stacks.0.convs.0.bias",
            ),
            ("stack_blocks_0/Conv_1/kernel", "stacks.0.convs.1.kernel"),
        ] {
            assert_eq!(KEYS.rename(theirs), ours);
        }
    }
}
