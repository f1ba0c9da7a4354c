//! Names of the authors' parameters.

use crate::checkpoint::{Joined, KeyMap, Layout};

/// Keys of the authors' agents and encoders, in which the towers of CLIP are those of Hugging Face.
pub const KEYS: KeyMap = KeyMap {
    renames: &[
        ("contrastive_temp", "temperature"),
        ("encoders_actor_0.", "encoder."),
        ("encoders_actor_1_image.task_encoder.", "image_task."),
        ("encoders_actor_1_language.task_encoder.", "language_task."),
        ("encoders_actor.", ""),
        ("networks_actor.", "head."),
        ("BottleneckResNetBlock_", "blocks."),
        ("ResNetBlock_", "blocks."),
        ("MyGroupNorm_", "norm."),
        ("LayerNorm_", "norm."),
        ("Conv_", "conv."),
        ("Dense_", "dense."),
        ("MLP_0.layers_", "mlp.layers."),
        ("SpatialLearnedEmbeddings_0.weight", "learned_embeddings"),
        (
            "SpatialSoftmax_0.softmax_temperature",
            "softmax_temperature",
        ),
        ("encoders_image.pretrained_image_encoder.", "image."),
        ("encoders_image.image_projection.weight", "image.proj"),
        ("encoders_language.pretrained_lang_encoder.", "text."),
        (
            "encoders_language.text_projection.weight",
            "text.text_projection",
        ),
        ("clip_vision_model.", "tower."),
        ("clip_visual_projection.weight", "tower.proj"),
        ("clip_text_model.", "tower."),
        ("clip_text_projection.weight", "tower.text_projection"),
        ("embeddings.class_embedding", "class_embedding"),
        ("embeddings.patch_embedding.", "conv1."),
        (
            "embeddings.position_embedding.weight",
            "positional_embedding",
        ),
        ("embeddings.token_embedding.", "token_embedding."),
        ("pre_layrnorm.", "ln_pre."),
        ("post_layernorm.", "ln_post."),
        ("final_layer_norm.", "ln_final."),
        ("encoder.layers.", "transformer.resblocks."),
        ("layer_norm1.", "ln_1."),
        ("layer_norm2.", "ln_2."),
        ("self_attn.", "attn."),
        ("mlp.fc1.", "mlp.c_fc."),
        ("mlp.fc2.", "mlp.c_proj."),
    ],
    ignored: &[],
    joined: &[Joined {
        parts: &["attn.q_proj.", "attn.k_proj.", "attn.v_proj."],
        whole: "attn.in_proj.",
    }],
    layout: Layout::Flax,
};
