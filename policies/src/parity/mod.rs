//! Parity: do our modules compute what the authors' code computes?
//!
//! A golden file holds the weights, inputs and outputs of one run of the reference implementation:
//! tensors `params/…`, `in/…` and `out/…`, and the configuration as JSON under the metadata key
//! `config`. [`run`] goes through a folder of such files, recognises what each one tests by its
//! name, builds the module from the file's own configuration, runs it on a device and compares every
//! `out/` tensor. Sizes and values are never assumed: files of the same names with other contents
//! work as well.
//!
//! A tensor passes if no element is further from the reference than
//! `tolerance * (1 + max |reference|)`.
//!
//! ```no_run
//! use std::path::Path;
//! use cerebellum_policies::parity;
//!
//! let device = cerebellum_policies::Device::flex();
//! let report = parity::run(Path::new("policies/tests/golden"), &device, &mut |step| {
//!     eprintln!("{}/{} {}", step.done, step.total, step.file);
//! })?;
//! println!("{report}");
//! assert!(report.is_success());
//! # Ok::<(), parity::ParityError>(())
//! ```

pub mod case;
mod checkpoints;
pub mod compare;
pub mod error;
pub mod golden;
pub mod grif;
pub mod hilp;
pub mod infocon;
pub mod mdt;
pub mod module;
pub mod outputs;
pub mod report;
pub mod spr;
mod walk;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::tensor::Device;

pub use case::{Case, Tolerances};
pub use error::ParityError;
pub use golden::GoldenFile;
pub use outputs::Outputs;
pub use report::{ParityReport, TensorResult};

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Files done before this one.
    pub done: usize,
    /// All files.
    pub total: usize,
    /// The file that is next, relative to the folder.
    pub file: String,
}

/// Compares every golden file under `folder` (sub-folders included, in the order of their names).
///
/// A file that cannot be read, or whose module cannot be built or fails, is reported as failed and
/// the others go on.
///
/// # Errors
/// If the folder cannot be read or holds no `.safetensors` file.
pub fn run(
    folder: &Path,
    device: &Device,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ParityReport, ParityError> {
    let files = walk::golden_files(folder)?;
    let mut report = ParityReport::default();
    for (done, (name, path)) in files.iter().enumerate() {
        progress(&Progress {
            done,
            total: files.len(),
            file: name.clone(),
        });
        match GoldenFile::open(path) {
            Ok(file) => check(name, &file, device, &mut report),
            Err(error) => report.fail_file(name, &error),
        }
    }
    Ok(report)
}

/// Compares one file.
fn check(name: &str, file: &GoldenFile, device: &Device, report: &mut ParityReport) {
    let Some(case) = case::find(file.stem()) else {
        report.unknown_file(name, file.expected());
        return;
    };
    // A module that is built from an unlikely configuration may panic inside the tensor library;
    // that is a failure of this file, not of the run.
    let computed = catch_unwind(AssertUnwindSafe(|| (case.compute)(file, device)))
        .unwrap_or_else(|cause| Err(ParityError::Panicked(panic_text(&*cause))));
    match computed {
        Ok(outputs) => {
            for (key, reference) in file.expected() {
                if file.is_noisy(key) {
                    continue;
                }
                match outputs.get(key) {
                    Some(produced) => {
                        let tolerance = (case.tolerance)(key);
                        report.push(compare::compare(name, key, reference, produced, tolerance));
                    }
                    None => report.unknown_tensor(name, key),
                }
            }
        }
        Err(error) => report.fail_all(name, file.expected(), &error),
    }
}

fn panic_text(cause: &(dyn std::any::Any + Send)) -> String {
    cause
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests;
