//! The comparison of one tensor.

use burn::tensor::TensorData;

use super::golden::GoldenTensor;
use super::report::TensorResult;

/// Compares `produced` with `reference`: it passes if every error is at most
/// `tolerance * (1 + max |reference|)`.
///
/// Where the reference is infinite or NaN, the produced value must be the same. A scalar may be
/// produced as a vector of one number.
pub fn compare(
    file: &str,
    tensor: &str,
    reference: &GoldenTensor,
    produced: &TensorData,
    tolerance: f64,
) -> TensorResult {
    let mut result = TensorResult::failed(file, tensor, tolerance);
    let shape = produced.shape().to_vec();
    let scalar = reference.shape.is_empty() && shape == [1];
    if shape != reference.shape && !scalar {
        let expected = &reference.shape;
        result.reason = Some(format!("has shape {shape:?}, expected {expected:?}"));
        return result;
    }
    let finite = reference.values.iter().filter(|value| value.is_finite());
    let scale = 1.0 + finite.fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut worst = 0.0;
    let pairs = reference.values.iter().zip(produced.iter::<f64>());
    for (index, (&want, got)) in pairs.enumerate() {
        let same = want == got || (want.is_nan() && got.is_nan());
        let error = if same { 0.0 } else { (want - got).abs() };
        // NaN is no error that could be compared, it is worse.
        if !error.is_finite() {
            result.reason = Some(format!("is {got} at {index}, expected {want}"));
            return result;
        }
        worst = f64::max(worst, error);
    }
    result.max_abs = Some(worst);
    result.max_rel = Some(worst / scale);
    result.passed = worst <= tolerance * scale;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(want: &[f64], got: &[f64], tolerance: f64) -> TensorResult {
        let reference = GoldenTensor {
            shape: vec![want.len()],
            values: want.to_vec(),
        };
        let produced = TensorData::new(got.to_vec(), [got.len()]);
        compare("file", "out/x", &reference, &produced, tolerance)
    }

    #[test]
    fn the_bound_grows_with_the_largest_reference_value() {
        let result = check(&[0.0, 9.0], &[0.01, 9.0], 1e-3);
        assert!(result.passed);
        assert_eq!(result.max_abs, Some(0.01));
        assert_eq!(result.max_rel, Some(0.001));
        assert!(!check(&[0.0, 9.0], &[0.0101, 9.0], 1e-3).passed);
        assert!(check(&[1.0], &[1.0], 0.0).passed);
    }

    #[test]
    fn what_is_not_finite_must_be_the_same() {
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        assert!(check(&[nan, -inf, 1.0], &[nan, -inf, 1.0], 1e-6).passed);
        for (want, got) in [(1.0, nan), (nan, 1.0), (inf, -inf), (1.0, inf), (inf, 1.0)] {
            let result = check(&[want], &[got], 1.0);
            assert!(!result.passed && result.reason.is_some(), "{want} {got}");
        }
    }

    #[test]
    fn shapes_must_agree() {
        assert!(!check(&[1.0, 2.0], &[1.0], 1.0).passed);
        let reference = GoldenTensor {
            shape: vec![],
            values: vec![2.0],
        };
        let one = TensorData::new(vec![2.0f32], [1]);
        assert!(compare("file", "out/x", &reference, &one, 0.0).passed);
        let empty = TensorData::new(Vec::<f32>::new(), [0]);
        assert!(!compare("file", "out/x", &reference, &empty, 1.0).passed);
    }
}
