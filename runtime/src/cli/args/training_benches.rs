//! Flags of the benchmarks that train: `maze`, `hilp` and `infocon`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flags of `bench maze`, `bench hilp` and `bench infocon`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of `maze`, `hilp` and `infocon`")]
pub struct PlayBenchArgs {
    /// The map of `maze`.
    #[arg(long, value_enum, default_value_t)]
    pub map: MazeMap,
    /// The variant of HILP in the `maze`.
    #[arg(long, value_enum, default_value_t)]
    pub variant: MazeVariant,
    /// Updates; by default as many as the configuration says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Networks and settings other than the built-in ones: for `maze` a TOML file with `[network]`
    /// and `[train]`, for `hilp` a training configuration (`assets/config/train-hilp-tracked.toml`).
    #[arg(long, value_name = "FILE", conflicts_with = "variant")]
    pub config: Option<PathBuf>,
    /// Seed of play, training and evaluation in the `maze`; first seed of training for `hilp`.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
    /// Seeds of training for `hilp` and `infocon`.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Episodes per cell of the table of `hilp`.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub rollouts: u64,
    /// Folder for checkpoints, metrics and results; goes on if it holds some. `runs/maze-…` or
    /// `runs/hilp-tabletop` by default.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Flags of `bench infocon`; `--config`, `--seed` and `--out` are those of `maze`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of `infocon` (beside --config, --seed, --seeds and --out)")]
pub struct ConceptArgs {
    /// Tasks, separated by commas; those of the configuration by default.
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Episodes per task, seed and policy.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub trials: usize,
}

/// Maps of mazes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MazeMap {
    /// Rooms around short walls.
    #[default]
    Medium,
    /// Long detours.
    Large,
}

/// Variants of HILP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MazeVariant {
    /// Implicit Q-learning with advantage-weighted regression.
    #[default]
    GoalConditioned,
    /// Successor features with a deterministic actor.
    ZeroShot,
}
