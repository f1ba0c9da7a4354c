//! `cerebellum import` and `cerebellum export`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use cerebellum_policies::checkpoint::import::record::IGNORED;
use cerebellum_policies::checkpoint::import::{self, Checkpoint, StateDict, WeightsChoice};
use cerebellum_policies::mdt::{self, MdtConfig};

use super::args::{ExportArgs, FamilyArg, ImportArgs, WeightsArg};
use super::exit::{ExitStatus, Failure};

impl From<WeightsArg> for WeightsChoice {
    fn from(choice: WeightsArg) -> Self {
        match choice {
            WeightsArg::Best => Self::Best,
            WeightsArg::Ema => Self::Averaged,
            WeightsArg::Raw => Self::Raw,
        }
    }
}

/// Converts a checkpoint of others and prints what becomes of every key.
///
/// # Errors
/// If the file cannot be used or the result not be written.
pub fn import(args: &ImportArgs) -> Result<ExitStatus, Failure> {
    let (family, file) = args.family_and_file().map_err(|reason| Failure {
        status: ExitStatus::Usage,
        error: anyhow!(reason),
    })?;
    let checkpoint = match (family, args.weights) {
        // Without a choice, a raw conversion takes the whole file under full names.
        (FamilyArg::Raw, None) => import::open(&file),
        (_, choice) => import::open_weights(&file, choice.unwrap_or_default().into()),
    }
    .map_err(Failure::input)?;
    for (name, function) in &checkpoint.skipped {
        println!("skipped  {name}: would be made by `{function}`, which was not called");
    }
    if !checkpoint.chosen.is_empty() {
        println!("weights: {}", checkpoint.chosen);
    }
    match family {
        FamilyArg::Raw => raw(args, &checkpoint.state, ""),
        FamilyArg::Mdt => mdt(args, &checkpoint, &file),
        FamilyArg::Grif => raw(args, &checkpoint.state, "state/params/"),
        FamilyArg::Hilp if checkpoint.state.get("global_step").is_some() => {
            raw(args, &checkpoint.state, "agent.")
        }
        FamilyArg::Hilp => raw(args, &checkpoint.state, "agent/network/params/"),
        FamilyArg::Infocon => raw(args, &checkpoint.state, ""),
    }
}

/// The tensors below `prefix` as they are.
fn raw(args: &ImportArgs, state: &StateDict, prefix: &str) -> Result<ExitStatus, Failure> {
    let chosen = state.below(prefix);
    if chosen.is_empty() {
        return Err(Failure::input(anyhow!(
            "the file has no tensor below `{prefix}`: is it of this family? `import FILE --keys` lists it"
        )));
    }
    for (key, entry) in state.iter() {
        match key.strip_prefix(prefix) {
            Some(key) => println!("mapped   {key} {} {:?}", entry.dtype, entry.shape),
            None => println!("ignored  {key}: not below `{prefix}`"),
        }
    }
    println!(
        "{} keys mapped, {} ignored",
        chosen.len(),
        state.len() - chosen.len()
    );
    if let Some(out) = &args.out {
        let path = safetensors_path(out).map_err(Failure::environment)?;
        chosen
            .write_safetensors(&path, HashMap::new())
            .map_err(Failure::environment)?;
        println!("written to {}", path.display());
    }
    Ok(ExitStatus::Success)
}

/// A file as it is; a folder gets `tensors.safetensors`.
fn safetensors_path(out: &Path) -> anyhow::Result<PathBuf> {
    if out.extension().is_some_and(|end| end == "safetensors") {
        return Ok(out.to_owned());
    }
    std::fs::create_dir_all(out).with_context(|| out.display().to_string())?;
    Ok(out.join("tensors.safetensors"))
}

fn mdt(args: &ImportArgs, checkpoint: &Checkpoint, file: &Path) -> Result<ExitStatus, Failure> {
    let config = match &args.config {
        Some(path) => read_config(path),
        None => mdt::import::config(&checkpoint.state, &checkpoint.settings(), file)
            .map_err(anyhow::Error::from),
    }
    .map_err(Failure::input)?;
    let report = mdt::import::plan(&checkpoint.state, &config);
    println!("{report}");
    if let Some(problem) = report.problem(file) {
        return Err(Failure::input(problem));
    }
    let Some(out) = &args.out else {
        return Ok(ExitStatus::Success);
    };
    let (package, record) =
        mdt::import::package(checkpoint, config, report, file).map_err(Failure::input)?;
    package.save(out).map_err(Failure::environment)?;
    record.save(out).map_err(Failure::environment)?;
    if !args.drop_ignored {
        let ignored = record
            .ignored(&checkpoint.state, file)
            .map_err(Failure::input)?;
        ignored
            .write_safetensors(&out.join(IGNORED), HashMap::new())
            .map_err(Failure::environment)?;
    }
    println!("policy written to {}", out.display());
    Ok(ExitStatus::Success)
}

fn read_config(path: &Path) -> anyhow::Result<MdtConfig> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let config = serde_json::from_str::<MdtConfig>(&text)
        .with_context(|| format!("{} is not a configuration of MDT", path.display()))?;
    if let Some(problem) = config.problem() {
        bail!("{}: {problem}", path.display());
    }
    Ok(config)
}

/// Writes a policy's tensors under the authors' names.
///
/// # Errors
/// If the policy cannot be read or the file not be written.
pub fn export(args: &ExportArgs) -> Result<ExitStatus, Failure> {
    let state = import::export(&args.policy).map_err(Failure::input)?;
    for (key, entry) in state.iter() {
        println!("{key} {} {:?}", entry.dtype, entry.shape);
    }
    state
        .write_safetensors(&args.out, HashMap::new())
        .map_err(Failure::environment)?;
    println!("{} tensors written to {}", state.len(), args.out.display());
    Ok(ExitStatus::Success)
}
