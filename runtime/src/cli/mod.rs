//! The command line: one file per verb.
// Results go to standard output, everything else to the log.
#![allow(clippy::print_stdout)]

mod args;
mod bench;
#[cfg(feature = "sim")]
mod demos;
mod doctor;
#[cfg(feature = "sim")]
mod eval;
mod exit;
mod import;
mod interrupt;
mod output;
mod parity;
mod run;
#[cfg(feature = "sim")]
mod sim;
#[cfg(feature = "sim")]
mod train;

use clap::Parser as _;

pub use args::{Cli, DeviceArg, Verb};
pub use exit::{ExitStatus, Failure};

use cerebellum_policies::device::DeviceChoice;

impl From<DeviceArg> for DeviceChoice {
    fn from(device: DeviceArg) -> Self {
        match device {
            DeviceArg::Auto => Self::Auto,
            DeviceArg::Wgpu => Self::Wgpu,
            DeviceArg::Cpu => Self::Cpu,
        }
    }
}

/// Parses the command line and does what it says.
pub fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    init_logging();
    let result = match cli.verb {
        #[cfg(feature = "sim")]
        Some(Verb::Train(args)) => train::train(&args),
        #[cfg(feature = "sim")]
        Some(Verb::Eval(args)) => eval::eval(&args),
        #[cfg(feature = "sim")]
        Some(Verb::Sim(args)) => sim::sim(&args),
        Some(Verb::Run(args)) => run::run(&args),
        None => run::run(&cli.run),
        Some(Verb::Doctor(args)) => doctor::doctor(&args),
        Some(Verb::Bench(args)) => bench::bench(&args),
        Some(Verb::Parity(args)) => parity::run(&args),
        Some(Verb::Import(args)) => import::import(&args),
        Some(Verb::Export(args)) => import::export(&args),
    };
    match result {
        Ok(status) => status.into(),
        Err(failure) => {
            tracing::error!("{:#}", failure.error);
            failure.status.into()
        }
    }
}

fn init_logging() {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,cerebellum=info"));
    // Standard output is for results.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    if builder.try_init().is_err() {
        // Somebody embeds the runtime and logs already.
    }
}

/// A progress bar; `template` says what follows the bar.
fn progress_bar(name: &'static str, template: &str) -> indicatif::ProgressBar {
    use indicatif::{ProgressBar, ProgressStyle};
    let style = ProgressStyle::with_template(&format!("{name} {{wide_bar}} {template}"));
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
