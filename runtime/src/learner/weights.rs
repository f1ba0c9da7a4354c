//! Questions about weights.

use cerebellum_policies::policy::Weights;

/// What tells the weights of one model from those of another: a hash over keys, shapes and values.
pub fn fingerprint(weights: &Weights) -> String {
    let mut hasher = blake3::Hasher::new();
    for (key, tensor) in weights.tensors.iter() {
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(&(tensor.shape.len() as u64).to_le_bytes());
        for extent in &tensor.shape {
            hasher.update(&(*extent as u64).to_le_bytes());
        }
        for value in &tensor.values {
            hasher.update(&value.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The first key of `weights` that holds a value that is not finite.
pub fn first_non_finite(weights: &Weights) -> Option<&str> {
    weights
        .tensors
        .iter()
        .find(|(_, tensor)| tensor.values.iter().any(|value| !value.is_finite()))
        .map(|(key, _)| key.as_str())
}

/// Why `weights` are not of the same model as `base`, if they are not.
pub fn misfit(base: &Weights, weights: &Weights) -> Option<String> {
    for (key, tensor) in base.tensors.iter() {
        match weights.tensors.get(key) {
            None => return Some(format!("tensor `{key}` is missing")),
            Some(found) if found.shape != tensor.shape => {
                return Some(format!(
                    "tensor `{key}` has shape {:?}, expected {:?}",
                    found.shape, tensor.shape
                ));
            }
            Some(_) => {}
        }
    }
    weights
        .tensors
        .keys()
        .find(|key| !base.tensors.contains_key(*key))
        .map(|key| format!("tensor `{key}` is unknown"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use cerebellum_policies::policy::WeightTensor;

    use super::*;

    fn weights(shape: &[usize], values: &[f32]) -> Weights {
        let tensor = WeightTensor {
            shape: shape.to_vec(),
            values: values.to_vec(),
        };
        Weights {
            tensors: Arc::new(BTreeMap::from([("a.weight".to_owned(), tensor)])),
            generation: 0,
        }
    }

    #[test]
    fn a_fingerprint_tells_models_apart() {
        let one = weights(&[2], &[1.0, 2.0]);
        assert_eq!(fingerprint(&one), fingerprint(&one.clone()));
        for other in [
            weights(&[2], &[1.0, 2.5]),
            weights(&[2, 1], &[1.0, 2.0]),
            weights(&[2], &[2.0, 1.0]),
            Weights::default(),
        ] {
            assert_ne!(fingerprint(&one), fingerprint(&other));
        }
    }

    #[test]
    fn what_is_not_finite_is_named() {
        assert_eq!(first_non_finite(&weights(&[2], &[1.0, 2.0])), None);
        let broken = weights(&[2], &[1.0, f32::NEG_INFINITY]);
        assert_eq!(first_non_finite(&broken), Some("a.weight"));
    }

    #[test]
    fn another_model_does_not_fit() {
        let base = weights(&[2], &[1.0, 2.0]);
        let misfit = |other| misfit(&base, &other);
        assert_eq!(misfit(weights(&[2], &[5.0, 6.0])), None);
        assert!(misfit(weights(&[1], &[1.0])).unwrap().contains("shape [1]"));
        assert!(misfit(Weights::default()).unwrap().contains("missing"));
        assert!(
            super::misfit(&Weights::default(), &base)
                .unwrap()
                .contains("unknown")
        );
    }
}
