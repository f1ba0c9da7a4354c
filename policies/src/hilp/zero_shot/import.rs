//! From the authors' state dictionaries to our networks.

use crate::checkpoint::{KeyMap, Layout};

/// Keys of a whole agent or of one of its networks, with slashes. Sequences are counted with their
/// activations there; the image encoder's convolutions are counted by themselves here.
pub const KEYS: KeyMap = KeyMap {
    renames: &[
        ("/F1/", "/f1/"),
        ("/F2/", "/f2/"),
        ("/B/", "/b/"),
        ("convnet/2/", "convnet/1/"),
        ("convnet/4/", "convnet/2/"),
        ("convnet/6/", "convnet/3/"),
        ("/", "."),
    ],
    ignored: &[],
    joined: &[],
    layout: Layout::Torch,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (theirs, ours) in [
            ("successor_net/F1/2/bias", "successor_net.f1.2.bias"),
            ("backward_net/B/0/weight", "backward_net.b.0.weight"),
            ("encoder/convnet/0/weight", "encoder.convnet.0.weight"),
            ("encoder/convnet/2/weight", "encoder.convnet.1.weight"),
            ("encoder/convnet/4/weight", "encoder.convnet.2.weight"),
            ("encoder/convnet/6/weight", "encoder.convnet.3.weight"),
            (
                "feature_learner/running_mean",
                "feature_learner.running_mean",
            ),
        ] {
            assert_eq!(KEYS.rename(theirs), ours);
        }
    }
}
