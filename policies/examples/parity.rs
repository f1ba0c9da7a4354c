//! Compares a folder of golden files with our modules: `parity DIR [cpu|wgpu]`.
//!
//! The verb `cerebellum parity` does the same with a progress bar and a report file; this one builds
//! without the rest of the runtime, which makes it the quick loop while a network is written.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use cerebellum_policies::{device, parity};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let (folder, choice) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] | [folder, "cpu"] => (folder, device::DeviceChoice::Cpu),
        [folder, "wgpu"] => (folder, device::DeviceChoice::Wgpu),
        _ => return Err("usage: parity DIR [cpu|wgpu]".into()),
    };
    let opened = device::open(choice)?;
    let report = parity::run(Path::new(folder), &opened.device, &mut |_| ())?;
    for case in report.cases.iter().filter(|case| !case.passed) {
        println!(
            "FAIL {} {} error {:?}, tolerance {:?}",
            case.file, case.tensor, case.max_abs, case.tolerance
        );
    }
    println!("{report}");
    if report.is_success() {
        Ok(())
    } else {
        Err("not all agree".into())
    }
}
