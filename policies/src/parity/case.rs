//! Which computation belongs to which file.

use burn::tensor::Device;

use super::checkpoints;
use super::error::ParityError;
use super::golden::GoldenFile;
use super::grif;
use super::hilp;
use super::infocon;
use super::mdt;
use super::outputs::Outputs;
use super::spr;

/// Computes the outputs of a file on a device.
pub type Compute = fn(&GoldenFile, &Device) -> Result<Outputs, ParityError>;

/// One kind of golden file: how to recognise it, and what computes its outputs.
#[derive(Clone, Copy)]
pub struct Case {
    /// Name of the file without its ending. A `*` at the end stands for anything.
    pub pattern: &'static str,
    /// Builds the module from the file's configuration and weights and runs it on its inputs.
    pub compute: Compute,
    /// Tolerance of an expected tensor, by its key.
    pub tolerance: fn(&str) -> f64,
}

/// Tolerances of a family, relative to `1 + max |reference|`.
#[derive(Clone, Copy, Debug)]
pub struct Tolerances {
    /// Forward passes and losses.
    pub forward: f64,
    /// Gradients.
    pub gradient: f64,
}

impl Tolerances {
    /// The tolerance of a tensor: gradients lie under `grad/`.
    pub fn of(&self, key: &str) -> f64 {
        if key.contains("/grad/") {
            self.gradient
        } else {
            self.forward
        }
    }
}

/// All cases, family by family.
const FAMILIES: &[&[Case]] = &[
    mdt::CASES,
    hilp::CASES,
    spr::CASES,
    infocon::CASES,
    grif::CASES,
    checkpoints::CASES,
];

/// The case of a file: the longest pattern that fits its name.
pub fn find(stem: &str) -> Option<&'static Case> {
    FAMILIES
        .iter()
        .flat_map(|family| family.iter())
        .filter(|case| fits(case.pattern, stem))
        .max_by_key(|case| case.pattern.len())
}

fn fits(pattern: &str, stem: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => stem.starts_with(start),
        None => stem == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_exactly_or_by_their_beginning() {
        assert!(fits("mgf", "mgf") && !fits("mgf", "mgf_small"));
        assert!(fits("mgf*", "mgf") && fits("mgf*", "mgf_small"));
        assert!(!fits("mgf*", "a_mgf"));
        assert!(find("mdt_core").is_some());
        assert!(find("no such case").is_none());
    }
}
