//! Between golden files and modules: weights in, gradients out.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Gradients;

use super::error::ParityError;
use super::golden::GoldenFile;
use super::outputs::Outputs;
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, Layout, TensorSpec, apply, collect, specs};
use crate::host;
use crate::policy::WeightTensor;
use crate::training::gradients::GradientSet;

/// `module` with the weights under `params/` and `prefix` of a file, in PyTorch's layout.
///
/// # Errors
/// If a tensor is missing or unknown, or a shape differs.
pub fn with_weights<M: Module>(
    module: M,
    file: &GoldenFile,
    prefix: &str,
    keys: &KeyMap,
) -> Result<M, ParityError> {
    let weights = keys.import(&file.params(prefix), &specs(&module), file.path())?;
    Ok(apply(module, &weights, file.path())?)
}

/// Puts the gradients of `module`'s tensors that the file expects under `start` and `prefix`, in
/// the file's layout. A tensor that has no gradient where the file expects one is zero in a file of
/// JAX, which has a gradient for everything, and is left out otherwise.
pub fn put_gradients<M: Module>(
    outputs: &mut Outputs,
    module: &M,
    gradients: Gradients,
    file: &GoldenFile,
    under: (&str, &str),
    keys: &KeyMap,
) {
    let set = GradientSet::take(module, gradients, |_| true);
    put_gradient_set(outputs, module, &set, file, under, keys);
}

/// As [`put_gradients`], with gradients that were taken before.
pub fn put_gradient_set<M: Module>(
    outputs: &mut Outputs,
    module: &M,
    set: &GradientSet,
    file: &GoldenFile,
    (start, prefix): (&str, &str),
    keys: &KeyMap,
) {
    let under = format!("{start}{prefix}");
    let (mut tensors, specs) = (flat_gradients(set), specs(module));
    if keys.layout == Layout::Flax {
        for spec in &specs {
            let zeros = || vec![0.0; spec.shape.iter().product::<usize>()];
            tensors.entry(spec.key.clone()).or_insert_with(zeros);
        }
    }
    put_tensors(outputs, file, &under, keys, &specs, &tensors);
}

/// Puts the weights of `module` that the file expects under `start`, in the file's layout.
pub fn put_weights<M: Module>(
    outputs: &mut Outputs,
    module: &M,
    file: &GoldenFile,
    start: &str,
    keys: &KeyMap,
) {
    put_tensors(outputs, file, start, keys, &specs(module), &flat(module));
}

/// Puts tensors that belong to a module, flat and by our keys (its weights, their gradients or an
/// optimiser's moments), where the file expects them under `under`, in its layout.
pub fn put_tensors(
    outputs: &mut Outputs,
    file: &GoldenFile,
    under: &str,
    keys: &KeyMap,
    specs: &[TensorSpec],
    tensors: &BTreeMap<String, Vec<f32>>,
) {
    for theirs in file.keys_under(under) {
        let (ours, part) = keys.locate(theirs);
        let whole = specs.iter().find(|spec| spec.key == ours);
        let (Some(whole), Some(values)) = (whole, tensors.get(&ours)) else {
            continue;
        };
        if let Some(spec) = part.spec(whole) {
            let values = part.of(values, whole);
            let key = format!("{under}{theirs}");
            put_in_layout(outputs, file, &key, keys.layout, &spec, &values);
        }
    }
}

/// Puts one tensor of a module, `ours`, where the file expects it under `key`, in PyTorch's layout.
pub fn put_tensor(
    outputs: &mut Outputs,
    file: &GoldenFile,
    key: &str,
    ours: &str,
    specs: &[TensorSpec],
    tensors: &BTreeMap<String, Vec<f32>>,
) {
    let spec = specs.iter().find(|spec| spec.key == ours);
    if let (Some(spec), Some(values)) = (spec, tensors.get(ours)) {
        put_in_layout(outputs, file, key, Layout::Torch, spec, values);
    }
}

fn put_in_layout(
    outputs: &mut Outputs,
    file: &GoldenFile,
    key: &str,
    layout: Layout,
    spec: &TensorSpec,
    values: &[f32],
) {
    let Some(values) = layout.to_theirs(values, spec) else {
        return;
    };
    let shape = layout.shape_there(spec);
    // A network that is no ensemble there has an axis of one member here.
    let shape = match (file.get(key), shape.split_first()) {
        (Ok(theirs), Some((1, rest))) if theirs.shape == rest => rest,
        _ => &shape,
    };
    outputs.put_values(key, shape, &values);
}

/// Gradients, flat and by our keys, as [`put_tensors`] takes them.
pub fn flat_gradients(gradients: &GradientSet) -> BTreeMap<String, Vec<f32>> {
    let gradients = gradients.by_key.iter();
    gradients
        .map(|(key, gradient)| (key.clone(), host::values(gradient.clone())))
        .collect()
}

/// The tensors of a module, flat and by our keys, as [`put_tensors`] takes them.
pub fn flat<M: Module>(module: &M) -> BTreeMap<String, Vec<f32>> {
    flat_tensors(&collect(module, 0).tensors, "")
}

/// Tensors whose key starts with `prefix`, flat and by the rest of the key.
pub fn flat_tensors(tensors: &Tensors, prefix: &str) -> BTreeMap<String, Vec<f32>> {
    let under = |(key, tensor): (&String, &WeightTensor)| {
        Some((key.strip_prefix(prefix)?.to_owned(), tensor.values.clone()))
    };
    tensors.iter().filter_map(under).collect()
}
