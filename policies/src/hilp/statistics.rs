//! Numbers of an update, by name.

use std::collections::BTreeMap;

pub use crate::host::values as host;

/// Numbers by name; the names are those of the authors' logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers(BTreeMap<String, f32>);

impl Numbers {
    /// Keeps the mean of `values`.
    pub fn put(&mut self, name: impl Into<String>, values: &[f32]) {
        self.0.insert(name.into(), mean(values));
    }

    /// Keeps greatest, mean and smallest value under `name` with `_max`, `_mean`, `_min`.
    pub fn put_range(&mut self, name: &str, values: &[f32]) {
        let (least, most) = range(values);
        for (end, value) in [("max", most), ("mean", mean(values)), ("min", least)] {
            self.0.insert(format!("{name}_{end}"), value);
        }
    }

    /// A number.
    pub fn get(&self, name: &str) -> Option<f32> {
        self.0.get(name).copied()
    }

    /// All numbers, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.0.iter().map(|(name, &value)| (name.as_str(), value))
    }

    /// The first number that is not finite.
    pub fn not_finite(&self) -> Option<&str> {
        let mut numbers = self.iter();
        numbers.find_map(|(name, value)| (!value.is_finite()).then_some(name))
    }
}

/// Statistics of values and of advantages under `name`.
pub fn advantages(numbers: &mut Numbers, name: &str, values: &[f32], advantages: &[f32]) {
    numbers.put_range(&format!("{name}/v"), values);
    numbers.put_range(&format!("{name}/adv"), advantages);
    let absolute = advantages.iter().map(|value| value.abs());
    let absolute = absolute.collect::<Vec<_>>();
    numbers.put(format!("{name}/abs_adv_mean"), &absolute);
    let ahead = advantages
        .iter()
        .map(|&value| f32::from(u8::from(value >= 0.0)));
    numbers.put(format!("{name}/accept_prob"), &ahead.collect::<Vec<_>>());
}

/// Mean, summed in double precision; NaN of nothing.
pub fn mean(values: &[f32]) -> f32 {
    let sum = values.iter().map(|&value| f64::from(value)).sum::<f64>();
    (sum / values.len() as f64) as f32
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let middle = sorted.len().saturating_sub(1) / 2;
    mean(sorted.get(middle..=sorted.len() / 2).unwrap_or_default())
}

/// Smallest and greatest value.
pub fn range(values: &[f32]) -> (f32, f32) {
    values.iter().fold(
        (f32::INFINITY, f32::NEG_INFINITY),
        |(least, most), &value| (least.min(value), most.max(value)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let values = [3.0, -1.0, 2.0, 5.0];
        assert_eq!(mean(&values), 2.25);
        assert_eq!(median(&values), 2.5);
        assert_eq!(median(&values[..3]), 2.0);
        assert_eq!(range(&values), (-1.0, 5.0));
        assert!(mean(&[]).is_nan() && median(&[]).is_nan());
        let mut numbers = Numbers::default();
        advantages(&mut numbers, "x", &values, &[-1.0, 0.0, 3.0, 0.0]);
        assert_eq!(numbers.get("x/accept_prob"), Some(0.75));
        assert_eq!(numbers.get("x/abs_adv_mean"), Some(1.0));
        assert_eq!(numbers.get("x/v_max"), Some(5.0));
        assert_eq!(numbers.not_finite(), None);
        numbers.put("bad", &[f32::NAN]);
        assert_eq!(numbers.not_finite(), Some("bad"));
    }
}
