//! HILP on the table, from play alone, against behaviour cloning and implicit Q-learning that read
//! the goal: goals reached per task, and rewards earned by prompting with samples of them.
//!
//! A goal is the state of the world in which an expert ended the same episode; the task's own check
//! says whether it is reached. All learners see the same play, have networks of the same sizes, and
//! decide at every tick.

mod rewards;
mod rollout;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use cerebellum_policies::checkpoint::Card;
use cerebellum_policies::device;
use cerebellum_policies::hilp::config::InputConfig;
use cerebellum_policies::hilp::pilot::StatePilot;
use cerebellum_policies::hilp::planning::Midpoints;
use cerebellum_policies::hilp::play::PlayData;
use cerebellum_policies::hilp::training::{PlayTrainer, play_data};
use cerebellum_policies::mdt::Statistics;
use cerebellum_policies::training::Outcome;
use cerebellum_policies::training::order::stream;
use cerebellum_policies::training::trainer::POLICY_FOLDER;
use cerebellum_sim::Task;
use serde::{Deserialize, Serialize};

use self::rewards::Reward;
use self::rollout::{Trial, Way};
use super::Figures;
use crate::cli::args::{BenchArgs, PlayLearner};
use crate::cli::exit::{ExitStatus, Failure};
use crate::cli::interrupt;
use crate::cli::train::{HilpFile, play, policy, read_play, run_to_end};
use crate::report::{TaskTally, write_json};

/// File of the results so far.
const RESULTS: &str = "results.json";
/// What learns, with the names of the columns.
const LEARNERS: [(&str, PlayLearner); 3] = [
    ("gcbc", PlayLearner::Gcbc),
    ("iql", PlayLearner::Iql),
    ("hilp", PlayLearner::Hilp),
];
/// States of the play that a reward is sampled on (10,000 in the authors' runs).
const SAMPLES: usize = 10_000;

/// All that was measured, by `learner/seed/task` and `way/seed/reward`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Results {
    goals: BTreeMap<String, TaskTally>,
    /// Mean reward per tick, and its standard error over the episodes.
    rewards: BTreeMap<String, [f64; 2]>,
}

/// What every measurement needs.
struct Bench<'a> {
    folder: &'a Path,
    rollouts: u64,
    stop: &'a AtomicBool,
    statistics: &'a Statistics,
    data: &'a PlayData,
    results: Results,
}

/// Trains what is not trained yet, measures what is not measured yet, and prints the tables.
///
/// # Errors
/// If the device, the configuration or the folder cannot be used, or a run diverges.
pub fn hilp(args: &BenchArgs, figures: &mut Figures) -> Result<ExitStatus, Failure> {
    let stop = interrupt::flag()?;
    let mut file = read_play(args.play.config.as_deref()).map_err(Failure::input)?;
    file.inputs = InputConfig::Tracked;
    file.train.steps = args.play.steps.unwrap_or(file.train.steps);
    let folder = args.play.out.clone();
    let folder = folder.unwrap_or_else(|| PathBuf::from("runs/hilp-tabletop"));
    let opened = device::open(args.device.into()).map_err(Failure::environment)?;
    let episodes = play(&folder.join("play"), &file, &stop).map_err(Failure::input)?;
    let (data, statistics) = play_data(&episodes, &file.inputs).map_err(Failure::input)?;
    let mut bench = Bench {
        rollouts: args.play.rollouts,
        stop: &stop,
        statistics: &statistics,
        data: &data,
        results: earlier(&folder).map_err(Failure::input)?,
        folder: &folder,
    };
    for seed in (args.play.seed..).take(args.play.seeds as usize) {
        for (name, learner) in LEARNERS {
            file.train.seed = seed;
            let file = file.clone().with(learner);
            let run = folder.join(format!("{name}-{seed}"));
            println!("{name}, seed {seed}: {}", run.display());
            let (network, train) = (policy(&file).network, file.train.clone());
            let steps = train.steps;
            let mut trainer = PlayTrainer::open(&run, train, network, &data, &opened.device)
                .map_err(Failure::input)?;
            let outcome = run_to_end(&mut trainer, steps, &stop, &mut |trainer| {
                let package = trainer.package(&policy(&file), &statistics, card(&file, name));
                Ok(package.save(&run.join(POLICY_FOLDER))?)
            })?;
            if outcome == Outcome::Stopped || !bench.measure(name, seed, &file, &trainer.pilot())? {
                println!("stopped; the same command goes on from there");
                return Ok(ExitStatus::Interrupted);
            }
        }
    }
    bench.report(figures);
    Ok(ExitStatus::Success)
}

fn earlier(folder: &Path) -> anyhow::Result<Results> {
    let path = folder.join(RESULTS);
    if !path.exists() {
        return Ok(Results::default());
    }
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

fn card(file: &HilpFile, name: &str) -> Card {
    Card {
        data: "play on the embedded table, training split from seed 0; no rewards, no labels"
            .into(),
        training: format!(
            "cerebellum bench hilp ({name}): {} updates, seed {}",
            file.train.steps, file.train.seed
        ),
        results: "see the table of the bench".into(),
        limits: "trained in the embedded world only; reads a tracking system".into(),
        licence: "MIT OR Apache-2.0".into(),
    }
}

impl Bench<'_> {
    /// Measures what is missing of one learner; false if it was told to stop.
    fn measure(
        &mut self,
        name: &str,
        seed: u64,
        file: &HilpFile,
        pilot: &StatePilot,
    ) -> anyhow::Result<bool> {
        let mut ways = vec![(name.to_owned(), None)];
        let mut samples = Vec::new();
        if name == "hilp" {
            let plan = file.midpoints;
            let mut rng = stream(seed, u64::MAX);
            let phi = pilot.phi(&self.data.sample_rows(plan.candidates, &mut rng));
            let width = phi.len() / plan.candidates.max(1);
            let midpoints = Midpoints::new(phi, width, plan.nearest, plan.recursions);
            ways.push(("hilp, midpoints".to_owned(), Some(midpoints)));
            samples = self.data.sample_rows(SAMPLES, &mut rng);
        }
        for task in Task::ALL {
            for (way, midpoints) in &ways {
                let key = format!("{way}/{seed}/{task}");
                let known = self.results.goals.get(&key);
                if known.is_some_and(|tally| tally.episodes == self.rollouts) {
                    continue;
                }
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                let trials = Trial::towards_goals(task, self.rollouts, self.statistics)?;
                let way = Way::Goals(midpoints.as_ref());
                let tally = rollout::reach(trials, pilot, self.statistics, &way)?;
                println!("{key:<40} {}", tally.describe());
                self.results.goals.insert(key, tally);
                self.save()?;
            }
        }
        if samples.is_empty() {
            return Ok(true);
        }
        for reward in Reward::ALL {
            for (way, key) in self.prompts(reward, pilot, &samples, seed) {
                if self.results.rewards.contains_key(&key) {
                    continue;
                }
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                let trials = Trial::endless(reward.scene(), self.rollouts, &way)?;
                let earned = rollout::earn(trials, pilot, self.statistics, &way, reward)?;
                println!("{key:<40} {:.3} ± {:.3}", earned[0], earned[1]);
                self.results.rewards.insert(key, earned);
                self.save()?;
            }
        }
        Ok(true)
    }

    /// The ways of earning a reward, from its values at samples of the play.
    fn prompts(
        &self,
        reward: Reward,
        pilot: &StatePilot,
        samples: &[f32],
        seed: u64,
    ) -> Vec<(Way<'static>, String)> {
        let (states, rewards) = reward.label(samples, self.statistics);
        let width = states.len() / rewards.len().max(1);
        let best = (0..rewards.len()).max_by(|&a, &b| rewards[a].total_cmp(&rewards[b]));
        let best = best.map_or_else(Vec::new, |row| states[row * width..][..width].to_vec());
        let ways = [
            ("random", Way::Random(seed)),
            ("goal", Way::Best(best)),
            (
                "reward",
                Way::Skill(pilot.skill_of_rewards(&states, &rewards)),
            ),
        ];
        ways.map(|(way, how)| (how, format!("{way}/{seed}/{}", reward.name())))
            .into()
    }

    fn save(&self) -> std::io::Result<()> {
        write_json(&self.folder.join(RESULTS), &self.results)
    }

    /// The tables, over all seeds.
    fn report(&self, figures: &mut Figures) {
        let mut table: BTreeMap<(String, &str), TaskTally> = BTreeMap::new();
        for (key, tally) in &self.results.goals {
            let mut parts = key.split('/');
            let (way, task) = (parts.next().unwrap_or(""), parts.nth(1).unwrap_or(""));
            for row in [task, "all"] {
                let sum = table.entry((row.to_owned(), way)).or_default();
                sum.episodes += tally.episodes;
                sum.successes += tally.successes;
            }
        }
        println!(
            "{:<16} {:<16} success    rate     95 % interval",
            "task", "learner"
        );
        for ((task, way), tally) in &table {
            println!("{task:<16} {way:<16} {}", tally.describe());
            let rate = tally.successes as f64 / tally.episodes.max(1) as f64;
            figures.insert(format!("hilp.{way}.{task}"), rate);
        }
        let mut means: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
        for (key, [mean, _]) in &self.results.rewards {
            let mut parts = key.split('/');
            let (way, reward) = (parts.next().unwrap_or(""), parts.nth(1).unwrap_or(""));
            means.entry((reward, way)).or_default().push(*mean);
        }
        for ((reward, way), seeds) in means {
            let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
            figures.insert(format!("hilp.return.{reward}.{way}"), mean);
        }
    }
}
