//! HILP in a maze, from play alone: do distances of φ rank like shortest paths, and does the skill
//! policy reach places that it was never asked for? (Park et al., arXiv 2402.15567.)

mod score;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;

use cerebellum_policies::device;
use cerebellum_policies::hilp::ObservationShape;
use cerebellum_policies::hilp::goal_conditioned::SkillConfig;
use cerebellum_policies::hilp::goal_conditioned::goals::GoalMix;
use cerebellum_policies::hilp::training::{PlayProgress, PlayTrainer, PlayTraining};
use cerebellum_policies::hilp::variant::VariantConfig;
use cerebellum_policies::hilp::zero_shot::ZeroShotConfig;
use cerebellum_policies::training::Outcome;
use cerebellum_sim::maze::Map;

use super::Figures;
use crate::cli::args::{BenchArgs, MazeMap, MazeVariant};
use crate::cli::exit::{ExitStatus, Failure};
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
    let (name, map) = match args.maze.map {
        MazeMap::Medium => ("medium", Map::medium()),
        MazeMap::Large => ("large", Map::large()),
    };
    let seed = args.maze.seed;
    let network = network(args.maze.variant);
    let folder = args.maze.out.clone().unwrap_or_else(|| {
        let variant = match args.maze.variant {
            MazeVariant::GoalConditioned => "goal-conditioned",
            MazeVariant::ZeroShot => "zero-shot",
        };
        PathBuf::from(format!("runs/maze-{name}-{variant}-{seed}"))
    });
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let data = world::play(&map, seed).map_err(|reason| Failure::input(anyhow::anyhow!(reason)))?;
    let train = training(args);
    let mut trainer = PlayTrainer::open(&folder, train.clone(), network, &data, &opened.device)
        .map_err(Failure::input)?;
    let bar = progress_bar("updates", "{pos}/{len} {eta} {msg}");
    bar.set_length(train.steps);
    bar.set_position(trainer.step());
    let outcome = trainer.run(
        &stop,
        &mut |report| {
            bar.set_position(report.step);
            bar.set_message(describe(report));
        },
        &mut |_| Ok(()),
    )?;
    bar.finish_and_clear();
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

fn network(variant: MazeVariant) -> VariantConfig {
    let observation = ObservationShape::State { width: 2 };
    match variant {
        MazeVariant::GoalConditioned => VariantConfig::GoalConditioned(SkillConfig {
            observation,
            action_dim: 2,
            value_hidden: vec![256; 2],
            actor_hidden: vec![256; 2],
            ..SkillConfig::default()
        }),
        MazeVariant::ZeroShot => VariantConfig::ZeroShot(ZeroShotConfig {
            observation,
            action_dim: 2,
            z_dim: 32,
            hidden_dim: 256,
            feature_dim: 128,
            phi_hidden_dim: 256,
            ..ZeroShotConfig::default()
        }),
    }
}

fn training(args: &BenchArgs) -> PlayTraining {
    PlayTraining {
        steps: args.maze.steps,
        batch: 256,
        goals: GoalMix::default(),
        seed: args.maze.seed,
        checkpoint_every: 2000,
        report_every: 200,
        ..PlayTraining::default()
    }
}

fn describe(report: &PlayProgress) -> String {
    let shown = [
        ("distance loss", "value/value_loss"),
        ("mean distance", "value/v_mean"),
        ("action error", "skill_actor/mse"),
        ("distance loss", "phi_loss"),
        ("successor loss", "sf_loss"),
    ];
    let shown = shown.iter().filter_map(|(name, key)| {
        let value = report.numbers.get(*key)?;
        Some(format!("{name} {value:.3}"))
    });
    shown.collect::<Vec<_>>().join("  ")
}

fn rate(tally: &TaskTally) -> f64 {
    tally.successes as f64 / tally.episodes.max(1) as f64
}
