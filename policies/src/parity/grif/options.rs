//! The authors' keyword arguments as our configurations.

use serde_json::Value;

use crate::grif::alignment::{AlignmentConfig, Metric};
use crate::grif::head::{HeadConfig, StdKind};
use crate::grif::mlp::MlpConfig;
use crate::grif::optimizer::OptimizerConfig;
use crate::grif::resnet::{Fusion, NormKind, PoolingKind, ResNetV1Config};
use crate::nn::Activation;
use crate::parity::error::ParityError;

/// What the authors' encoder is given as task.
#[derive(Clone, Copy, Debug)]
pub enum TaskShape {
    /// Nothing.
    None,
    /// An image of this many channels.
    Image(usize),
    /// A vector of this many numbers.
    Vector(usize),
    /// Maps.
    Maps,
}

fn refuse<T>(reason: String) -> Result<T, ParityError> {
    Err(ParityError::Config(reason))
}

/// Whole number of an option, if it is set.
fn count(options: &Value, key: &str) -> Option<usize> {
    options[key].as_u64().map(|number| number as usize)
}

fn flag(options: &Value, key: &str, default: bool) -> bool {
    options[key].as_bool().unwrap_or(default)
}

fn activation(name: &Value, default: Activation) -> Result<Activation, ParityError> {
    if name.is_null() {
        return Ok(default);
    }
    serde_json::from_value(name.clone())
        .map_err(|_| ParityError::Config(format!("activation {name} is not built here")))
}

/// The encoder of a name and its options, for images of a side and channels.
///
/// # Errors
/// If an option is unknown or the options do not go together.
pub fn resnet(
    name: &str,
    options: &Value,
    task: TaskShape,
    (side, channels): (usize, usize),
) -> Result<ResNetV1Config, ParityError> {
    let Some(mut config) = ResNetV1Config::named(name, side) else {
        return refuse(format!("encoder `{name}` is not built here"));
    };
    let known = [
        "act",
        "add_spatial_coordinates",
        "fuse_ftmaps",
        "g_only",
        "mlp_kwargs",
        "norm",
        "normalize_output",
        "num_filters",
        "num_spatial_blocks",
        "pooling_method",
        "pre_fuse_mlp",
        "return_ftmaps",
        "softmax_temperature",
        "stage_sizes",
        "task_highway",
        "task_units",
        "use_multiplicative_cond",
        "use_spatial_softmax",
    ];
    let given = options.as_object().into_iter().flatten();
    if let Some((key, _)) = given
        .clone()
        .find(|(key, _)| !known.contains(&key.as_str()))
    {
        return refuse(format!("option `{key}` of an encoder is not built here"));
    }
    if flag(options, "use_multiplicative_cond", false) {
        return refuse("`use_multiplicative_cond` is not built here".into());
    }
    if let Some(stages) = options["stage_sizes"].as_array() {
        let stages = stages
            .iter()
            .map(|count| count.as_u64().unwrap_or(0) as usize);
        config.stages = stages.collect();
    }
    config.channels = channels;
    config.filters = count(options, "num_filters").unwrap_or(64);
    config.activation = activation(&options["act"], Activation::Relu)?;
    config.norm = match options["norm"].as_str() {
        None | Some("group") => NormKind::Group,
        Some("layer") => NormKind::Layer,
        Some(other) => return refuse(format!("norm `{other}` is not built here")),
    };
    config.coordinates = flag(options, "add_spatial_coordinates", false);
    config.pooling = match options["pooling_method"].as_str() {
        None | Some("avg") => PoolingKind::Average,
        Some("max") => PoolingKind::Max,
        Some("none") => PoolingKind::None,
        Some("spatial_learned_embeddings") => PoolingKind::SpatialLearnedEmbeddings {
            features: count(options, "num_spatial_blocks").unwrap_or(8),
        },
        Some("spatial_softmax") => PoolingKind::SpatialSoftmax {
            // Other numbers than -1 are not read by the authors' class.
            learned_temperature: options["softmax_temperature"].as_f64() == Some(-1.0),
        },
        Some(other) => return refuse(format!("pooling `{other}` is not built here")),
    };
    let default = if name.ends_with("-task") { 256 } else { 0 };
    let units = count(options, "task_units").unwrap_or(default);
    config.fusion = match task {
        TaskShape::None => Fusion::None,
        TaskShape::Maps => Fusion::Maps,
        TaskShape::Image(channels) if units == 0 && flag(options, "g_only", false) => {
            Fusion::ImageOnly { channels }
        }
        TaskShape::Image(channels) if units == 0 => Fusion::Image { channels },
        TaskShape::Vector(task) if units > 0 => Fusion::Film {
            task,
            units: flag(options, "pre_fuse_mlp", true).then_some(units),
        },
        other => return refuse(format!("`task_units` {units} with a task {other:?}")),
    };
    if matches!(task, TaskShape::Maps) != flag(options, "fuse_ftmaps", false) {
        return refuse(format!("`fuse_ftmaps` with a task {task:?}"));
    }
    config.output_mlp = mlp(&options["mlp_kwargs"])?;
    config.highway = flag(options, "task_highway", false);
    config.normalize = flag(options, "normalize_output", false);
    config.return_maps = flag(options, "return_ftmaps", false);
    match config.problem() {
        Some(problem) => refuse(problem),
        None => Ok(config),
    }
}

/// Layers of a task encoder or an encoder's end.
///
/// # Errors
/// If the activation is unknown.
pub fn mlp(options: &Value) -> Result<Option<MlpConfig>, ParityError> {
    let Some(hidden) = options["hidden_dims"].as_array() else {
        return Ok(None);
    };
    let hidden = hidden
        .iter()
        .map(|width| width.as_u64().unwrap_or(0) as usize);
    Ok(Some(MlpConfig {
        hidden: hidden.collect(),
        activation: activation(&options["activation"], Activation::Swish)?,
        activate_final: flag(options, "activate_final", false),
    }))
}

/// The head of a policy's options.
///
/// # Errors
/// If an option is missing or the options do not go together.
pub fn head(agent: &Value, actions: usize) -> Result<HeadConfig, ParityError> {
    let (network, policy) = (&agent["network_kwargs"], &agent["policy_kwargs"]);
    let hidden = network["hidden_dims"].as_array().into_iter().flatten();
    let hidden = hidden.map(|width| width.as_u64().unwrap_or(0) as usize);
    let std = match policy["fixed_std"].as_array() {
        Some(std) => {
            let std = std.iter().map(|std| std.as_f64().unwrap_or(0.0) as f32);
            StdKind::Fixed(std.collect())
        }
        None if flag(policy, "state_dependent_std", true) => StdKind::OfState,
        None => StdKind::Learned,
    };
    let config = HeadConfig {
        hidden: hidden.collect(),
        actions,
        std,
        tanh: flag(policy, "tanh_squash_distribution", false),
        dropout: policy["dropout"].as_f64().unwrap_or(0.0),
    };
    match config.problem() {
        Some(problem) => refuse(problem),
        None => Ok(config),
    }
}

/// Rates of an agent's options.
///
/// # Errors
/// If one is missing.
pub fn optimizer(agent: &Value) -> Result<OptimizerConfig, ParityError> {
    let number = |key: &str, default: f64| agent[key].as_f64().unwrap_or(default);
    let share = number("clip_encoder_lr_multiplier", 1.0);
    Ok(OptimizerConfig {
        learning_rate: number("learning_rate", 3e-4) as f32,
        pretrained_share: share as f32,
        warm_up: number("warmup_steps", 1e3) as u64,
        decay: number("decay_steps", 1e6) as u64,
        weight_decay: 0.0,
    })
}

/// The alignment of an agent's options.
///
/// # Errors
/// If the metric is unknown.
pub fn alignment(agent: &Value) -> Result<AlignmentConfig, ParityError> {
    let weight = agent["alignment"].as_f64().unwrap_or(1.0);
    Ok(AlignmentConfig {
        metric: match agent["metric"].as_str() {
            Some(name) => super::alignment::metric(name)?,
            None => Metric::Cosine,
        },
        weight,
        other_weight: agent["other_alignment"].as_f64().unwrap_or(weight),
    })
}
