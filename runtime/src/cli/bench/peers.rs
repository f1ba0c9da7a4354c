//! Peers of a benchmark: the same computation in Python, from packages in a temporary environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use crate::cli::args::BenchArgs;

/// A Python that can run peers.
pub struct Peers {
    python: PathBuf,
    folder: PathBuf,
}

impl Peers {
    /// The interpreter that is named, or a new environment in `folder` with `packages` from
    /// whatever package index `pip` is set to.
    ///
    /// # Errors
    /// If the environment cannot be set up.
    pub fn new(args: &BenchArgs, folder: &Path, packages: &[&str]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let python = match &args.python {
            Some(python) => python.clone(),
            None => environment(folder, packages)?,
        };
        Ok(Self {
            python,
            folder: folder.to_owned(),
        })
    }

    /// A script, still without arguments.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn command(&self, script: &str) -> anyhow::Result<Command> {
        let file = self.folder.join("peers.py");
        std::fs::write(&file, script)?;
        let mut command = Command::new(&self.python);
        command.arg(&file);
        Ok(command)
    }

    /// Runs a script, whose last line is a report, and gives what it complained of too.
    ///
    /// # Errors
    /// If it cannot be run or its last line is no report.
    pub fn run<T: DeserializeOwned>(
        &self,
        script: &str,
        arguments: &[String],
    ) -> anyhow::Result<(T, String)> {
        let output = self
            .command(script)?
            .args(arguments)
            .output()
            .with_context(|| format!("{} cannot be run", self.python.display()))?;
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().unwrap_or_default();
        let report = serde_json::from_str(line)
            .with_context(|| format!("the peers' script failed: {complaints}"))?;
        Ok((report, complaints))
    }
}

fn environment(folder: &Path, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let home = folder.join("environment");
    let run = |command: &mut Command| {
        let status = command.status()?;
        if status.success() {
            Ok(())
        } else {
            Err(anyhow!(
                "{command:?} failed: give an interpreter that has {packages:?} with `--python`"
            ))
        }
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
    let python = home.join("bin").join("python");
    let install = ["-m", "pip", "install", "--quiet"];
    run(Command::new(&python).args(install).args(packages))?;
    Ok(python)
}
