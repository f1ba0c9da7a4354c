//! `mgf*`: the masked decoder of both cameras.

use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::KeyMap;
use crate::mdt::config::ForesightConfig;
use crate::mdt::mgf::Foresight;
use crate::nn::position::grid_positions;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::module::{put_gradients, with_weights};
use crate::parity::outputs::Outputs;

const PREFIX: &str = "gen_img.";

/// Keys below [`PREFIX`]. The position table is computed, not stored.
const KEYS: KeyMap = KeyMap {
    ignored: &["decoder_pe"],
    ..KeyMap::MDT
};

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let device = &device.clone().autodiff();
    let config = ForesightConfig {
        resolution: file.count("/resolution")?,
        patch: file.count("/patch_size")?,
        width: file.count("/decoder_embed_dim")?,
        heads: file.count("/decoder_n_heads")?,
        layers: file.count("/decoder_depth")?,
        mask_ratio: file.number("/mask_ratio")?,
        // Plays no part in the decoder.
        lookahead: 1,
        hard_patches: None,
    };
    if config.patch == 0 || config.heads == 0 || config.resolution < config.patch {
        let reason = "patches and heads must not be zero or larger than the image".to_owned();
        return Err(ParityError::Config(reason));
    }
    let network = Foresight::new(&config, file.count("/context_dim")?, device);
    let network = with_weights(network, file, PREFIX, &KEYS)?;

    let mut outputs = Outputs::default();
    let uniforms = file.values("in/mask_noise")?;
    let patches = network.patches();
    let rows = uniforms.len() / patches;
    let mask = network.mask(&uniforms);
    outputs.put_values("out/mask", &[rows, patches], &mask);
    let order = Order::of(&uniforms, patches);
    let ranks = order.ranks.iter().flatten().map(|&rank| rank as f64);
    let ranks = ranks.collect::<Vec<_>>();
    outputs.put_values("out/restore_idxs", &[rows, patches], &ranks);

    let targets = file.tensor::<5>("in/target_images", device)?;
    let area = 3 * config.patch * config.patch;
    let pixels = cut(targets.clone(), config.patch);
    let first = pixels.clone().narrow(0, 0, 1).narrow(1, 0, 1);
    outputs.put("out/targets_b0_view0", first.reshape([patches, area]));
    let visible = mask.iter().filter(|&&hidden| hidden == 0.0).count() / rows.max(1);
    let seen = visible_patches(&network, &order, targets.clone(), config.patch, visible);
    outputs.put("out/visible_patches", seen);

    let context = file.tensor::<3>("in/context", device)?.require_grad();
    let channels_last = targets.permute([0, 1, 3, 4, 2]);
    let result = network.forward(context.clone(), channels_last, mask);
    outputs.put("out/pred", result.pixels);
    let loss = result.loss.mean();
    outputs.put("out/loss", loss.clone());
    let mut grads = loss.backward();
    if let Some(grad) = context.grad_remove(&mut grads) {
        outputs.put("out/grad/in/context", grad);
    }
    put_gradients(
        &mut outputs,
        &network,
        grads,
        file,
        ("out/grad/", PREFIX),
        &KEYS,
    );
    Ok(outputs)
}

/// The order of patches by their uniform numbers, per sample.
struct Order {
    /// Patches, the one with the smallest number first.
    patches: Vec<Vec<usize>>,
    /// The place of every patch in that order.
    ranks: Vec<Vec<usize>>,
}

impl Order {
    fn of(uniforms: &[f32], patches: usize) -> Self {
        let sorted = |keys: &[f32]| {
            let mut order = (0..keys.len()).collect::<Vec<_>>();
            order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
            order
        };
        let orders = uniforms.chunks_exact(patches).map(sorted);
        let orders = orders.collect::<Vec<_>>();
        let ranks = orders.iter().map(|order| {
            let mut ranks = vec![0; order.len()];
            for (rank, &patch) in order.iter().enumerate() {
                ranks[patch] = rank;
            }
            ranks
        });
        Self {
            ranks: ranks.collect(),
            patches: orders,
        }
    }
}

/// `[batch, views, 3, side, side]` to `[batch, views, patches, area]`, ordered (row, column,
/// channel) inside a patch: cut directly from the images, independently of the decoder.
fn cut(images: Tensor<5>, patch: usize) -> Tensor<4> {
    let [batch, views, channels, side, _] = images.dims();
    let grid = side / patch;
    images
        .reshape([batch * views, channels, grid, patch, grid, patch])
        .permute([0, 2, 4, 3, 5, 1])
        .reshape([batch, views, grid * grid, patch * patch * channels])
}

/// Embedded visible patches with their positions, static view before gripper view, each in the
/// order of the uniform numbers: `[batch, views * visible, width]`.
fn visible_patches(
    network: &Foresight,
    order: &Order,
    images: Tensor<5>,
    patch: usize,
    visible: usize,
) -> Tensor<3> {
    let device = images.device();
    let kernel = network.patch2embed.proj.weight.val();
    let [width, ..] = kernel.dims();
    let kernel = kernel.permute([2, 3, 1, 0]);
    let pixels = cut(images, patch);
    let [batch, views, patches, area] = pixels.dims();
    let grid = patches.isqrt();
    let positions = grid_positions(width, grid, &device).unsqueeze_dim::<4>(0);
    let mut embedded = pixels.matmul(kernel.reshape([1, 1, area, width])) + positions;
    if let Some(bias) = &network.patch2embed.proj.bias {
        embedded = embedded + bias.val().reshape([1, 1, 1, width]);
    }
    let chosen = order.patches.iter().enumerate().map(|(row, order)| {
        let first = order.iter().take(visible).map(|&patch| patch as i64);
        let first = first.collect::<Vec<_>>();
        let index = TensorData::new(first, [visible.min(patches)]);
        embedded
            .clone()
            .narrow(0, row, 1)
            .select(2, Tensor::from_data(index, &device))
    });
    Tensor::cat(chosen.collect(), 0).reshape([batch, views * visible, width])
}
