//! Between golden files and modules: weights in, gradients out.

use burn::module::Module;
use burn::tensor::Gradients;

use super::error::ParityError;
use super::golden::GoldenFile;
use super::outputs::Outputs;
use crate::checkpoint::{KeyMap, apply, collect, specs};
use crate::host;
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
/// PyTorch's layout. A tensor that has no gradient where the file expects one is left out.
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
    put_all(outputs, module, file, &under, keys, |key| {
        Some(host::values(set.by_key.get(key)?.clone()))
    });
}

/// Puts the weights of `module` that the file expects under `start`, in PyTorch's layout.
pub fn put_weights<M: Module>(
    outputs: &mut Outputs,
    module: &M,
    file: &GoldenFile,
    start: &str,
    keys: &KeyMap,
) {
    let weights = collect(module, 0);
    put_all(outputs, module, file, start, keys, |key| {
        Some(weights.tensors.get(key)?.values.clone())
    });
}

fn put_all<M: Module>(
    outputs: &mut Outputs,
    module: &M,
    file: &GoldenFile,
    under: &str,
    keys: &KeyMap,
    values: impl Fn(&str) -> Option<Vec<f32>>,
) {
    let specs = specs(module);
    for theirs in file.keys_under(under) {
        let ours = keys.rename(theirs);
        let spec = specs.iter().find(|spec| spec.key == ours);
        let (Some(spec), Some(values)) = (spec, values(&ours)) else {
            continue;
        };
        let (shape, values) = match spec.shape.as_slice() {
            // Matrices of linear layers are (in, out) here and (out, in) there.
            &[rows, columns] if spec.linear => (
                vec![columns, rows],
                (0..columns)
                    .flat_map(|column| (0..rows).map(move |row| row * columns + column))
                    .filter_map(|index| values.get(index).copied())
                    .collect(),
            ),
            shape => (shape.to_vec(), values),
        };
        outputs.put_values(format!("{under}{theirs}"), &shape, &values);
    }
}
