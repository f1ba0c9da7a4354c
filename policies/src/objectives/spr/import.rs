//! From the authors' state dictionary to our model.

use std::collections::BTreeMap;
use std::path::Path;

use super::config::{HeadHidden, SprConfig};
use crate::checkpoint::file::Tensors;
use crate::checkpoint::{KeyMap, Layout, TensorSpec};
use crate::error::CheckpointError;
use crate::policy::Weights;

const SAME: KeyMap = KeyMap {
    renames: &[],
    ignored: &[],
    joined: &[],
    layout: Layout::Torch,
};

/// Our name of a foreign key. Tensors that the authors list under several names get one.
pub fn our_key(theirs: &str, config: &SprConfig) -> String {
    let (head, rest) = theirs.split_once('.').unwrap_or((theirs, ""));
    match head {
        "dynamics_model" => format!("dynamics_model.{}", transition_key(rest, config.blocks)),
        "head" => format!("head.{}", head_key(rest, config.dueling)),
        "global_classifier" => projection_key(rest, ["head", "global_classifier"], config),
        "global_target_classifier" => {
            projection_key(rest, ["target_head", "global_target_classifier"], config)
        }
        "global_final_classifier" => format!("global_final_classifier.{}", rows_key(rest, 0)),
        _ => theirs.to_owned(),
    }
}

fn transition_key(key: &str, blocks: usize) -> String {
    if key.starts_with("action_embedding") {
        return "action_embedding".to_owned();
    }
    if let Some(rest) = key.strip_prefix("reward_predictor.network.") {
        let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let name = match index {
            "0" => "conv",
            "2" => "norm",
            "4" => "first",
            "6" => "second",
            _ => index,
        };
        return format!("reward_predictor.{name}.{rest}");
    }
    let rest = key.strip_prefix("network.").unwrap_or(key);
    let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let rest = rest.strip_prefix("net.0.").unwrap_or(rest);
    match index.parse::<usize>() {
        Ok(0) => format!("first.{rest}"),
        Ok(2) => format!("norm.{rest}"),
        Ok(index) if index == blocks + 3 => format!("last.{rest}"),
        Ok(index) if index >= 3 => {
            let parts = [
                ("block.0.net.0.", "first."),
                ("block.2.", "first_norm."),
                ("block.3.net.0.", "second."),
                ("block.4.", "second_norm."),
            ];
            let renamed = parts
                .iter()
                .find_map(|(theirs, ours)| Some(format!("{ours}{}", rest.strip_prefix(theirs)?)));
            format!(
                "blocks.{}.{}",
                index - 3,
                renamed.unwrap_or_else(|| rest.to_owned())
            )
        }
        _ => key.to_owned(),
    }
}

/// A dueling head lists its advantage's first layer as `network`, too.
fn head_key(key: &str, dueling: bool) -> String {
    let names: &[(&str, &str)] = if dueling {
        &[
            ("advantage_hidden.1", "advantage_hidden"),
            ("network.1", "advantage_hidden"),
            ("value.1", "value_hidden"),
            ("value.3", "value_out"),
        ]
    } else {
        &[("network.1", "hidden"), ("network.3", "out")]
    };
    let renamed = names.iter().find_map(|(theirs, ours)| {
        let rest = key.strip_prefix(theirs)?;
        rest.starts_with('.').then(|| format!("{ours}{rest}"))
    });
    renamed.unwrap_or_else(|| key.to_owned())
}

/// Projections by the head list its layers again; others are a flattening and layers.
fn projection_key(key: &str, [head, own]: [&str; 2], config: &SprConfig) -> String {
    if let Some(rest) = key.strip_prefix("head.") {
        return format!("{head}.{}", head_key(rest, config.dueling));
    }
    if let Some(rest) = key.strip_prefix("encoders.") {
        let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let HeadHidden { value, .. } = config.head_hidden;
        let layer = match (config.dueling, value, index) {
            (false, ..) => "hidden",
            (true, true, "0") => "value_hidden",
            (true, ..) => "advantage_hidden",
        };
        return format!("{head}.{layer}.{rest}");
    }
    if config.projection == super::config::ProjectionKind::HeadOutput {
        let rest = key.strip_prefix("0.").unwrap_or(key);
        return format!("{head}.{}", head_key(rest, config.dueling));
    }
    format!("{own}.{}", rows_key(key, 1))
}

/// Layers in a sequence that begins at `start`: linear, or linear, norm, ReLU and linear.
fn rows_key(key: &str, start: usize) -> String {
    let (index, rest) = key.split_once('.').unwrap_or((key, ""));
    let place = index.parse::<usize>().ok();
    match place.and_then(|place| place.checked_sub(start)) {
        Some(0) => rest.to_owned(),
        Some(1) => format!("norm.{rest}"),
        Some(3) => format!("second.{rest}"),
        _ => key.to_owned(),
    }
}

/// Our keys of the authors' tensors, only those that begin with `prefix` and without it. A first
/// layer of a sequence is told from a single one by what else there is.
pub fn renamed(tensors: &Tensors, config: &SprConfig, prefix: &str) -> Tensors {
    let all = tensors
        .iter()
        .map(|(key, tensor)| (our_key(key, config), tensor.clone()))
        .collect::<BTreeMap<_, _>>();
    let deep = |key: &str| {
        let (module, rest) = key.split_once('.')?;
        let layered = all.contains_key(&format!("{module}.second.weight"));
        let single = matches!(rest, "weight" | "bias");
        (module.starts_with("global_") && layered && single)
            .then(|| format!("{module}.first.{rest}"))
    };
    let named = all.iter().filter_map(|(key, tensor)| {
        let key = deep(key).unwrap_or_else(|| key.clone());
        Some((key.strip_prefix(prefix)?.to_owned(), tensor.clone()))
    });
    named.collect()
}

/// The tensors of the model, or of its part `prefix`, out of the authors' state dictionary.
///
/// # Errors
/// If a key is missing or a linear layer's tensor is not a matrix.
pub fn import(
    tensors: &Tensors,
    config: &SprConfig,
    prefix: &str,
    specs: &[TensorSpec],
    origin: &Path,
) -> Result<Weights, CheckpointError> {
    SAME.import(&renamed(tensors, config, prefix), specs, origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let config = SprConfig {
            blocks: 1,
            ..SprConfig::default()
        };
        for (theirs, ours) in [
            ("conv.conv.2.bias", "conv.conv.2.bias"),
            (
                "dynamics_model.network.0.net.0.weight",
                "dynamics_model.first.weight",
            ),
            (
                "dynamics_model.network.2.running_var",
                "dynamics_model.norm.running_var",
            ),
            (
                "dynamics_model.network.3.block.3.net.0.bias",
                "dynamics_model.blocks.0.second.bias",
            ),
            (
                "dynamics_model.network.3.block.2.weight",
                "dynamics_model.blocks.0.first_norm.weight",
            ),
            (
                "dynamics_model.network.4.net.0.bias",
                "dynamics_model.last.bias",
            ),
            (
                "dynamics_model.reward_predictor.network.6.bias",
                "dynamics_model.reward_predictor.second.bias",
            ),
            ("head.network.1.weight", "head.advantage_hidden.weight"),
            ("head.advantage_bias", "head.advantage_bias"),
            (
                "global_classifier.encoders.0.weight",
                "head.value_hidden.weight",
            ),
            (
                "global_target_classifier.encoders.1.bias_mu",
                "target_head.advantage_hidden.bias_mu",
            ),
            (
                "global_target_classifier.head.value.3.bias",
                "target_head.value_out.bias",
            ),
            (
                "global_final_classifier.0.weight",
                "global_final_classifier.weight",
            ),
        ] {
            assert_eq!(our_key(theirs, &config), ours);
        }
        let joint = SprConfig {
            dueling: false,
            ..config
        };
        assert_eq!(our_key("head.network.3.bias", &joint), "head.out.bias");
        assert_eq!(
            our_key("global_classifier.encoders.0.bias", &joint),
            "head.hidden.bias"
        );
    }
}
