//! `resnet*`: the image encoder in its variants.

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};

use super::options::{TaskShape, resnet};
use crate::checkpoint::{apply, specs};
use crate::grif::keys::KEYS;
use crate::grif::resnet::{BlockKind, Features, Layer, ResNetV1, Task};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradients, with_weights};
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let images = file.tensor::<4>("in/x", device)?;
    let (shape, task) = task(file, &images, device)?;
    if let Task::Maps(maps) = &task {
        for (index, map) in maps.iter().enumerate() {
            outputs.put(format!("out/task_map_{index}"), map.clone());
        }
    }
    let network = network(file, shape, &images, device)?;
    let block = match network.config().kind {
        BlockKind::Basic => "ResNetBlock",
        BlockKind::Bottleneck => "BottleneckResNetBlock",
    };
    let features = network.look(images.clone(), &task, &mut |layer, map| {
        let name = match layer {
            Layer::Stem => "conv_init".to_owned(),
            Layer::StemNorm => "norm_init".to_owned(),
            Layer::Block(index) => format!("{block}_{index}"),
        };
        outputs.put(format!("out/inter/{name}"), map.clone());
    })?;
    put_features(&mut outputs, "out/y", features, false);
    if file.has("out/y_single") {
        let one = network.forward(images.clone().narrow(0, 0, 1), &first(&task))?;
        put_features(&mut outputs, "out/y_single", one, true);
    }

    let device = &device.clone().autodiff();
    let network = self::network(file, shape, &images, device)?;
    let images = file.tensor::<4>("in/x", device)?;
    let (_, task) = self::task(file, &images, device)?;
    let features = network.forward(images, &task)?;
    let probe = file.rows("in/cotangent", device)?;
    let loss = (features.flat() * probe).sum();
    let under = ("out/grad/", "");
    put_gradients(&mut outputs, &network, loss.backward(), file, under, &KEYS);
    Ok(outputs)
}

fn put_features(outputs: &mut Outputs, key: &str, features: Features, single: bool) {
    match features {
        Features::Vector(vector) if single => outputs.put(key, vector.squeeze_dim::<1>(0)),
        Features::Vector(vector) => outputs.put(key, vector),
        Features::Maps(maps) => {
            for (index, map) in maps.into_iter().enumerate() {
                let keys = [key.to_owned(), format!("{key}_{index}")];
                for key in keys {
                    if single {
                        outputs.put(key, map.clone().squeeze_dim::<3>(0));
                    } else {
                        outputs.put(key, map.clone());
                    }
                }
            }
        }
    }
}

fn first(task: &Task) -> Task {
    match task {
        Task::None => Task::None,
        Task::Image(image) => Task::Image(image.clone().narrow(0, 0, 1)),
        Task::Vector(vector) => Task::Vector(vector.clone().narrow(0, 0, 1)),
        Task::Maps(maps) => {
            Task::Maps(maps.iter().map(|map| map.clone().narrow(0, 0, 1)).collect())
        }
    }
}

/// The task of a file: an image, a vector, or the maps of another encoder for a vector.
fn task(
    file: &GoldenFile,
    images: &Tensor<4>,
    device: &Device,
) -> Result<(TaskShape, Task), ParityError> {
    match &file.config()["task"] {
        Value::Null => Ok((TaskShape::None, Task::None)),
        Value::String(kind) if kind == "image" => {
            let goal = file.tensor::<4>("in/task", device)?;
            Ok((TaskShape::Image(goal.dims()[3]), Task::Image(goal)))
        }
        Value::String(kind) if kind == "maps" => {
            let vector = file.tensor::<2>("in/task_vector", device)?;
            let [_, width] = vector.dims();
            let mut options = file.config()["kwargs"].clone();
            options["fuse_ftmaps"] = json!(false);
            options["return_ftmaps"] = json!(true);
            let name = file.text("/arch")?;
            let [_, side, _, channels] = images.dims();
            let shape = TaskShape::Vector(width);
            let config = resnet(&name, &options, shape, (side, channels))?;
            let encoder = ResNetV1::new(&config, device);
            let weights = file.tensors_under("params_task/");
            let weights = KEYS.import(&weights, &specs(&encoder), file.path())?;
            let encoder = apply(encoder, &weights, file.path())?;
            let maps = encoder.forward(images.clone(), &Task::Vector(vector))?;
            Ok((TaskShape::Maps, maps.into_task()))
        }
        Value::Number(_) => {
            let vector = file.tensor::<2>("in/task", device)?;
            let [_, width] = vector.dims();
            Ok((TaskShape::Vector(width), Task::Vector(vector)))
        }
        other => Err(ParityError::Config(format!("a task of kind {other}"))),
    }
}

fn network(
    file: &GoldenFile,
    task: TaskShape,
    images: &Tensor<4>,
    device: &Device,
) -> Result<ResNetV1, ParityError> {
    let [_, side, _, channels] = images.dims();
    let (name, options) = (file.text("/arch")?, &file.config()["kwargs"]);
    let config = resnet(&name, options, task, (side, channels))?;
    with_weights(ResNetV1::new(&config, device), file, "", &KEYS)
}
