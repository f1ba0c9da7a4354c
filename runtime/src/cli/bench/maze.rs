//! HILP in a maze, from play alone: do distances of φ rank like shortest paths, and does the skill
//! policy reach places that it was never asked for? (Park et al., arXiv 2402.15567.)

mod score;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cerebellum_policies::device;
use cerebellum_policies::hilp::ObservationShape;
use cerebellum_policies::hilp::goal_conditioned::SkillConfig;
use cerebellum_policies::hilp::training::{PlayTrainer, PlayTraining};
use cerebellum_policies::hilp::variant::VariantConfig;
use cerebellum_policies::hilp::zero_shot::ZeroShotConfig;
use cerebellum_policies::training::Outcome;
use cerebellum_sim::maze::Map;
use serde::Deserialize;

use super::Figures;
use crate::cli::args::{BenchArgs, MazeMap, MazeVariant, PlayBenchArgs};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::train::run_to_end;
use crate::cli::{interrupt, progress_bar};
use crate::report::{TaskTally, task_table};

/// What the check asks for: rank correlation, and shares of goals reached straight and over
/// midpoints.
const REQUIRED: [f64; 3] = [0.9, 0.9, 0.95];

/// Trains on play and measures. Goes on where it was stopped.
///
/// # Errors
/// If the device or the folder cannot be used, or the run diverges.
pub fn maze(args: &BenchArgs, figures: &mut Figures) -> Result<ExitStatus, Failure> {
    let stop = interrupt::flag()?;
    let (name, map) = match args.play.map {
        MazeMap::Medium => ("medium", Map::medium()),
        MazeMap::Large => ("large", Map::large()),
    };
    let seed = args.play.seed;
    let MazeFile { network, train } = settings(&args.play).map_err(Failure::input)?;
    let folder = args.play.out.clone().unwrap_or_else(|| {
        let variant = match args.play.variant {
            MazeVariant::GoalConditioned => "goal-conditioned",
            MazeVariant::ZeroShot => "zero-shot",
        };
        PathBuf::from(format!("runs/maze-{name}-{variant}-{seed}"))
    });
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let data = world::play(&map, seed).map_err(|reason| Failure::input(anyhow::anyhow!(reason)))?;
    let mut trainer = PlayTrainer::open(&folder, train.clone(), network, &data, &opened.device)
        .map_err(Failure::input)?;
    let outcome = run_to_end(&mut trainer, train.steps, &stop, &mut |_| Ok(()))?;
    if outcome == Outcome::Stopped {
        println!(
            "stopped at update {}; the same command goes on from there",
            trainer.step()
        );
        return Ok(ExitStatus::Interrupted);
    }

    let bar = progress_bar("ticks of all episodes", "{pos}/{len} {eta}");
    let score = score::score(&map, &data, &trainer.pilot(), seed, &bar)
        .map_err(|reason| Failure::input(anyhow::anyhow!(reason)))?;
    bar.finish_and_clear();
    figures.insert("maze.rank_correlation".into(), score.correlation);
    let ways = [("straight", score.straight), ("midpoints", score.midpoints)];
    for (way, tally) in ways {
        let (low, high) = tally.wilson();
        for (what, value) in [("success", rate(&tally)), ("low", low), ("high", high)] {
            figures.insert(format!("maze.{way}.{what}"), value);
        }
    }
    figures.insert("maze.updates".into(), train.steps as f64);
    figures.insert("maze.transitions".into(), data.len() as f64);
    figures.insert("maze.seed".into(), seed as f64);
    let table = ways.map(|(way, tally)| (way.to_owned(), tally));
    print!("{}", task_table(&BTreeMap::from(table)));
    let found = [score.correlation, rate(&ways[0].1), rate(&ways[1].1)];
    let met = found
        .iter()
        .zip(REQUIRED)
        .all(|(found, least)| *found >= least);
    Ok(if met {
        ExitStatus::Success
    } else {
        ExitStatus::CheckFailed
    })
}

/// Networks and settings of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MazeFile {
    network: VariantConfig,
    #[serde(default)]
    train: PlayTraining,
}

fn settings(args: &PlayBenchArgs) -> anyhow::Result<MazeFile> {
    let mut file = match &args.config {
        Some(path) => read(path)?,
        None => MazeFile {
            network: network(args.variant),
            train: PlayTraining {
                steps: 12_000,
                batch: 256,
                cosine: true,
                checkpoint_every: 1000,
                report_every: 200,
                ..PlayTraining::default()
            },
        },
    };
    file.train.steps = args.steps.unwrap_or(file.train.steps);
    file.train.seed = args.seed;
    Ok(file)
}

fn read(path: &Path) -> anyhow::Result<MazeFile> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text)
        .with_context(|| format!("{} does not describe networks and a run", path.display()))
}

/// Places fill two dimensions, so a skill needs few. A random direction of more dimensions hardly
/// says anything about them, while the direction to a goal says all that it says about them.
const SKILL_DIM: usize = 8;
/// Width of the hidden layers.
const WIDTH: usize = 128;

fn network(variant: MazeVariant) -> VariantConfig {
    let observation = ObservationShape::State { width: world::SEEN };
    match variant {
        MazeVariant::GoalConditioned => VariantConfig::GoalConditioned(SkillConfig {
            observation,
            action_dim: 2,
            skill_dim: SKILL_DIM,
            value_hidden: vec![WIDTH; 2],
            actor_hidden: vec![WIDTH; 2],
            learning_rate: 1e-3,
            target_rate: 0.02,
            // The farther, the less a step counts: distances in a maze with loops fit no plane
            // otherwise.
            discount: 0.97,
            skill_discount: 0.9,
            skill_expectile: 0.95,
            skill_temperature: 50.0,
            ..SkillConfig::default()
        }),
        MazeVariant::ZeroShot => VariantConfig::ZeroShot(ZeroShotConfig {
            observation,
            action_dim: 2,
            z_dim: SKILL_DIM,
            hidden_dim: WIDTH,
            feature_dim: WIDTH / 2,
            phi_hidden_dim: WIDTH,
            ..ZeroShotConfig::default()
        }),
    }
}

fn rate(tally: &TaskTally) -> f64 {
    tally.successes as f64 / tally.episodes.max(1) as f64
}
