//! `cerebellum parity`.

use cerebellum_policies::{device, parity};

use super::args::ParityArgs;
use super::exit::{ExitStatus, Failure};

/// Compares our modules with golden files and prints the worst error of each file.
///
/// # Errors
/// If the folder or the device cannot be used; tensors that differ are told by the exit code.
pub fn run(args: &ParityArgs) -> Result<ExitStatus, Failure> {
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let bar = super::progress_bar("files", "{pos}/{len} {elapsed} {msg}");
    let report = parity::run(&args.folder, &opened.device, &mut |step| {
        bar.set_length(step.total as u64);
        bar.set_position(step.done as u64);
        bar.set_message(step.file.clone());
    })
    .map_err(Failure::input)?;
    bar.finish_and_clear();
    if args.verbose {
        for case in &report.cases {
            let mark = if case.passed { "ok  " } else { "FAIL" };
            let number = |value: Option<f64>| {
                value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2e}"))
            };
            let (error, tolerance) = (number(case.max_abs), number(case.tolerance));
            println!(
                "{mark} {} {} error {error}, tolerance {tolerance}",
                case.file, case.tensor
            );
        }
    }
    println!("{report}");
    super::output::save(args.json.as_deref(), &report)?;
    Ok(if report.is_success() {
        ExitStatus::Success
    } else {
        ExitStatus::CheckFailed
    })
}
