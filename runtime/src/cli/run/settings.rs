//! What a run is told: built-in defaults, the configuration file, then flags.

use std::path::PathBuf;

use anyhow::Context as _;
use cerebellum_bridge::SessionConfig;

use crate::cli::args::{ClockArg, NetworkArgs, RunArgs, WorldArg};
use crate::run::settings::{Pace, RunSettings, WorldKind};

/// Tasks that the shipped configuration runs.
pub fn default_tasks() -> Vec<String> {
    let shipped = crate::assets::find(crate::assets::RUN_CONFIG)
        .and_then(|path| RunSettings::load(&path).ok());
    shipped
        .map(|settings| settings.world.tasks)
        .filter(|tasks| !tasks.is_empty())
        .unwrap_or_else(all_tasks)
}

#[cfg(feature = "sim")]
fn all_tasks() -> Vec<String> {
    cerebellum_sim::Task::ALL
        .map(|task| task.name().to_owned())
        .to_vec()
}
#[cfg(not(feature = "sim"))]
fn all_tasks() -> Vec<String> {
    vec!["push".to_owned()]
}

/// The configuration: built-in defaults, the file, then flags.
pub(super) fn settings(args: &RunArgs) -> anyhow::Result<RunSettings> {
    let file = args
        .config
        .clone()
        .or_else(|| crate::assets::find(crate::assets::RUN_CONFIG));
    let mut settings = file
        .as_deref()
        .map(RunSettings::load)
        .transpose()?
        .unwrap_or_default();
    if let Some(policy) = &args.policy {
        settings.policy = Some(policy.clone());
    }
    if let Some(seed) = args.seed {
        settings.seed = seed;
    }
    settings.learn &= !args.no_learner;
    let world = &mut settings.world;
    if let Some(kind) = args.world {
        world.kind = match kind {
            WorldArg::Embedded => WorldKind::Embedded,
            WorldArg::Zenoh => WorldKind::Zenoh,
            WorldArg::Robot => WorldKind::Robot,
        };
    }
    if let Some(clock) = args.clock {
        world.clock = match clock {
            ClockArg::Realtime => Pace::Realtime,
            ClockArg::Lockstep => Pace::Lockstep,
        };
    }
    if !args.tasks.is_empty() {
        world.tasks.clone_from(&args.tasks);
    }
    if world.tasks.is_empty() {
        world.tasks = default_tasks();
    }
    world.episodes = args.episodes.unwrap_or(world.episodes);
    if let Some(split) = &args.split {
        world.split.clone_from(split);
    }
    if let Some(shift) = &args.shift {
        world.shift.clone_from(shift);
    }
    let realtime = &mut settings.control.realtime;
    realtime.priority = args.fifo.or(realtime.priority);
    realtime.strict |= args.strict;
    settings.network = network(settings.network, &args.network);
    if args.no_record {
        settings.viewer.record = None;
    } else if args.record.is_some() {
        settings.viewer.record.clone_from(&args.record);
    }
    Ok(settings)
}

/// The network settings with what the command line says.
pub fn network(mut session: SessionConfig, args: &NetworkArgs) -> SessionConfig {
    if !args.connect.is_empty() {
        session.connect.clone_from(&args.connect);
    }
    if !args.listen.is_empty() {
        session.listen.clone_from(&args.listen);
    }
    if args.domain != 0 {
        session.domain = args.domain;
    }
    session
}

/// Fails early if a report could not be written at the end.
pub(super) fn check_writable(path: &std::path::Path) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or(PathBuf::from("."), PathBuf::from);
    std::fs::create_dir_all(&folder)
        .and_then(|()| tempfile::tempfile_in(&folder))
        .map(drop)
        .with_context(|| {
            format!(
                "the report cannot be written to {}: choose another folder",
                folder.display()
            )
        })
}
