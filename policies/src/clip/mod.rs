//! CLIP, the joint embedding of images and sentences (Radford et al., arXiv 2103.00020): text tower,
//! both kinds of image towers, and the byte-pair tokenizer.
//!
//! Modules carry OpenAI's key names but for the packed attention projections, which [`KEYS`] renames
//! so that they are linear layers here. MDT takes its goals from these towers ([`goal`]), GRIF
//! trains an altered one.
//!
//! ```
//! use cerebellum_policies::clip::ClipTokenizer;
//!
//! let tokenizer = ClipTokenizer::embedded()?;
//! let ids = tokenizer.encode("Open the drawer.");
//! assert_eq!(ids, [49406, 1488, 518, 23219, 269, 49407]);
//! # Ok::<(), cerebellum_policies::error::CheckpointError>(())
//! ```

pub mod attention_pool;
pub mod goal;
pub mod modified_resnet;
pub mod text;
pub mod tokenizer;
pub mod transformer;
pub mod vision_transformer;

pub use attention_pool::AttentionPool;
pub use goal::{ClipImageEncoder, ClipSentenceEncoder, ImageTower};
pub use modified_resnet::{ModifiedResNet, ModifiedResNetConfig};
pub use text::{TextConfig, TextTower};
pub use tokenizer::ClipTokenizer;
pub use transformer::{Transformer, TransformerConfig};
pub use vision_transformer::{VisionTransformer, VisionTransformerConfig};

use crate::checkpoint::{KeyMap, Layout};

/// Keys of one tower of OpenAI's files, whose other tower and temperature are left out; an image
/// tower's keys come without `visual.`.
pub const KEYS: KeyMap = KeyMap {
    renames: &[
        (".in_proj_weight", ".in_proj.weight"),
        (".in_proj_bias", ".in_proj.bias"),
    ],
    ignored: &[
        "logit_scale",
        "visual.",
        "input_resolution",
        "context_length",
        "vocab_size",
        // Counts steps of training, which nothing here reads.
        "*.num_batches_tracked",
    ],
    joined: &[],
    layout: Layout::Torch,
};
