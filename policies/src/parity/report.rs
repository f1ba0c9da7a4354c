//! What a run found, for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::ParityError;
use super::golden::GoldenTensor;

/// The result of one tensor, or of a file as a whole (`tensor` is empty then).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorResult {
    /// The file, relative to the folder of the run.
    pub file: String,
    /// Key of the tensor.
    pub tensor: String,
    /// Largest error; `None` if nothing could be compared.
    pub max_abs: Option<f64>,
    /// Largest error over `1 + max |reference|`: what the tolerance bounds.
    pub max_rel: Option<f64>,
    /// Tolerance; `None` for a tensor that no case computes.
    pub tolerance: Option<f64>,
    /// Whether the error is within the tolerance.
    pub passed: bool,
    /// Why nothing could be compared. For people only.
    #[serde(skip)]
    pub reason: Option<String>,
}

impl TensorResult {
    pub(super) fn failed(file: &str, tensor: &str, tolerance: f64) -> Self {
        Self {
            file: file.to_owned(),
            tensor: tensor.to_owned(),
            max_abs: None,
            max_rel: None,
            tolerance: Some(tolerance),
            passed: false,
            reason: None,
        }
    }
}

/// The result of a run. As JSON, its keys are those of the fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ParityReport {
    /// Tensors within their tolerance.
    pub passed: usize,
    /// Tensors beyond it, or that could not be computed; files that could not be read.
    pub failed: usize,
    /// Tensors that no case computes. They count as a failure of the run.
    pub unknown: usize,
    /// One entry per tensor that was counted, in the order of files and keys.
    pub cases: Vec<TensorResult>,
}

impl ParityReport {
    /// Whether something was compared and all of it passed.
    pub const fn is_success(&self) -> bool {
        self.passed > 0 && self.failed == 0 && self.unknown == 0
    }

    pub(super) fn push(&mut self, result: TensorResult) {
        if result.passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
        self.cases.push(result);
    }

    pub(super) fn fail_file(&mut self, file: &str, error: &ParityError) {
        self.failed += 1;
        self.cases.push(TensorResult {
            tolerance: None,
            reason: Some(error.to_string()),
            ..TensorResult::failed(file, "", 0.0)
        });
    }

    /// Every tensor of a file that could not be computed; the file itself if it has none.
    pub(super) fn fail_all<'a>(
        &mut self,
        file: &str,
        tensors: impl Iterator<Item = (&'a str, &'a GoldenTensor)>,
        error: &ParityError,
    ) {
        let before = self.failed;
        for (tensor, _) in tensors {
            self.fail_file(file, error);
            if let Some(last) = self.cases.last_mut() {
                last.tensor = tensor.to_owned();
            }
        }
        if self.failed == before {
            self.fail_file(file, error);
        }
    }

    pub(super) fn unknown_tensor(&mut self, file: &str, tensor: &str) {
        self.unknown += 1;
        self.cases.push(TensorResult {
            tolerance: None,
            reason: Some("nothing here computes this tensor".to_owned()),
            ..TensorResult::failed(file, tensor, 0.0)
        });
    }

    pub(super) fn unknown_file<'a>(
        &mut self,
        file: &str,
        tensors: impl Iterator<Item = (&'a str, &'a GoldenTensor)>,
    ) {
        let before = self.unknown;
        for (tensor, _) in tensors {
            self.unknown_tensor(file, tensor);
        }
        if self.unknown == before {
            self.unknown_tensor(file, "");
        }
    }

    /// One line per file, in order.
    pub fn files(&self) -> Vec<FileSummary<'_>> {
        let mut files: Vec<FileSummary<'_>> = Vec::new();
        for result in &self.cases {
            match files.last_mut() {
                Some(last) if last.file == result.file => last.add(result),
                _ => {
                    let mut summary = FileSummary {
                        file: &result.file,
                        passed: 0,
                        tensors: 0,
                        worst: result,
                    };
                    summary.add(result);
                    files.push(summary);
                }
            }
        }
        files
    }
}

/// One file of a report.
#[derive(Clone, Debug)]
pub struct FileSummary<'a> {
    /// Its name.
    pub file: &'a str,
    /// Tensors that passed.
    pub passed: usize,
    /// All its tensors.
    pub tensors: usize,
    /// The tensor with the largest share of its tolerance; one without a comparison is worse.
    pub worst: &'a TensorResult,
}

impl<'a> FileSummary<'a> {
    fn add(&mut self, result: &'a TensorResult) {
        self.tensors += 1;
        self.passed += usize::from(result.passed);
        if share(result) > share(self.worst) {
            self.worst = result;
        }
    }
}

/// Error as a share of the tolerance.
fn share(result: &TensorResult) -> f64 {
    match (result.max_rel, result.tolerance) {
        (Some(error), Some(tolerance)) if tolerance > 0.0 => error / tolerance,
        (Some(0.0), Some(_)) => 0.0,
        _ => f64::INFINITY,
    }
}

impl fmt::Display for ParityReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.files();
        let width = files.iter().map(|f| f.file.len()).max().unwrap_or(0).max(4);
        writeln!(
            out,
            "{:width$}  {:>9}  {:>9}  {:>9}  worst tensor",
            "file", "passed", "error", "tolerance"
        )?;
        for file in &files {
            let worst = file.worst;
            let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1e}"));
            let passed = format!("{}/{}", file.passed, file.tensors);
            let (error, tolerance) = (number(worst.max_rel), number(worst.tolerance));
            write!(
                out,
                "{:width$}  {passed:>9}  {error:>9}  {tolerance:>9}  {}",
                file.file, worst.tensor
            )?;
            match &worst.reason {
                Some(reason) if worst.tensor.is_empty() => writeln!(out, "{reason}")?,
                Some(reason) => writeln!(out, ": {reason}")?,
                None => writeln!(out)?,
            }
        }
        write!(
            out,
            "{} passed, {} failed, {} unknown",
            self.passed, self.failed, self.unknown
        )
    }
}
