//! What can be said on the command line.

#[cfg(feature = "sim")]
mod training_benches;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "sim")]
pub use training_benches::{ConceptArgs, MazeMap, MazeVariant, PlayBenchArgs};

/// Runs learned robot policies in real time and keeps them learning on the robot.
///
/// Without a verb the main job runs: the embedded tabletop world is driven by the shipped policy
/// over zenoh, while a self-supervised objective keeps updating a shadow copy of it; a table, a
/// JSON report and a rerun recording come out.
#[derive(Debug, Parser)]
#[command(
    name = "cerebellum",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 success, 1 failure, 2 usage, 3 bad input (configuration, checkpoint, dataset), \
4 environment (device, permission, output), 5 network or world, 6 checks failed, 130 interrupted."
)]
pub struct Cli {
    /// The verb; `run` if none is given.
    #[command(subcommand)]
    pub verb: Option<Verb>,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Drive a robot or the embedded world with a policy while it learns (the default).
    Run(RunArgs),
    /// Train a policy from demonstrations of the scripted experts; resumes after a kill.
    #[cfg(feature = "sim")]
    Train(TrainArgs),
    /// Measure success rates with intervals, as fast as the machine allows.
    #[cfg(feature = "sim")]
    Eval(EvalArgs),
    /// Serve the embedded world alone over zenoh, for `run --world zenoh` in another process.
    #[cfg(feature = "sim")]
    Sim(SimArgs),
    /// Check adapters, real-time permissions, the network and the shipped assets.
    Doctor(DoctorArgs),
    /// Compare networks and losses with golden files made by the authors' code.
    Parity(ParityArgs),
    /// Measure speed; names the unit of every figure.
    Bench(BenchArgs),
    /// Convert a checkpoint of the authors (PyTorch, Lightning, Flax, pickle); nothing in it is run.
    Import(ImportArgs),
    /// Write a policy's tensors under the authors' names.
    Export(ExportArgs),
}

/// Where tensors live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The first GPU adapter, software drivers included.
    Wgpu,
    /// The CPU.
    Cpu,
}

/// How a policy is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GoalArg {
    /// By the episode's instruction.
    #[default]
    Language,
    /// By a picture of the outcome.
    Image,
    /// By the robot's own state at the outcome.
    State,
    /// By the policy's concepts, in the order of its demonstrations.
    Concept,
}

/// Which world the policy acts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WorldArg {
    /// The tabletop world inside this process (its messages still go through zenoh).
    #[default]
    Embedded,
    /// A world in another process that serves episodes: `cerebellum sim`.
    Zenoh,
    /// A robot: no episodes, goals come over zenoh or from `--goal`.
    Robot,
}

/// Who owns time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ClockArg {
    /// Wall-clock pace; nobody waits.
    #[default]
    Realtime,
    /// The world owns the tick and waits for each command: repeatable to the bit.
    Lockstep,
}

/// How zenoh is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct NetworkArgs {
    /// Endpoint to connect to, for example `tcp/127.0.0.1:7447`; may be repeated.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<String>,
    /// Endpoint to listen on; may be repeated.
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<String>,
    /// ROS domain id: the first part of every key.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    pub domain: u32,
}

/// Flags of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Run configuration (TOML). Flags win over it, it wins over built-in defaults.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Policy package (a folder); the shipped one by default.
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Where tensors live.
    #[arg(long, value_enum)]
    pub device: Option<DeviceArg>,
    /// Which world the policy acts in.
    #[arg(long, value_enum)]
    pub world: Option<WorldArg>,
    /// Who owns time.
    #[arg(long, value_enum)]
    pub clock: Option<ClockArg>,
    /// Episodes to run, tasks in turn.
    #[arg(long, value_name = "N")]
    pub episodes: Option<usize>,
    /// Tasks, separated by commas; the policy's own list by default.
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Seed of everything random.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Split that episode seeds are drawn from: train, eval or shift.
    #[arg(long, value_name = "SPLIT")]
    pub split: Option<String>,
    /// Domain shift, for example `camera_pose=2,light=1`.
    #[arg(long, value_name = "KNOBS")]
    pub shift: Option<String>,
    /// Instruction to follow until another goal arrives (with `--world robot`).
    #[arg(long, value_name = "TEXT")]
    pub goal: Option<String>,
    /// Stop after this many seconds (with `--world robot`).
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<f64>,
    /// Do not learn while running.
    #[arg(long)]
    pub no_learner: bool,
    /// Where the rerun recording goes.
    #[arg(long, value_name = "FILE.rrd")]
    pub record: Option<PathBuf>,
    /// Do not write a rerun recording.
    #[arg(long, conflicts_with = "record")]
    pub no_record: bool,
    /// Where the JSON report goes.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write every command of a lockstep run to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub log_commands: Option<PathBuf>,
    /// Ask for SCHED_FIFO at this priority for the control thread (1 to 99).
    #[arg(long, value_name = "PRIORITY", value_parser = clap::value_parser!(i32).range(1..=99))]
    pub fifo: Option<i32>,
    /// Refuse to run if real-time privileges that were asked for are not permitted.
    #[arg(long)]
    pub strict: bool,
    /// How zenoh is reached.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Flags of `train`.
#[cfg(feature = "sim")]
#[derive(Clone, Debug, Args)]
pub struct TrainArgs {
    /// What is trained.
    #[arg(long, value_enum, default_value_t)]
    pub family: TrainFamily,
    /// What learns from play, for the family hilp.
    #[arg(long, value_enum, default_value_t)]
    pub learner: PlayLearner,
    /// Folder for checkpoints, metrics and the finished policy package; resumes if it holds a checkpoint.
    #[arg(long, value_name = "DIR", default_value = "runs/train")]
    pub out: PathBuf,
    /// Training configuration (TOML); see `assets/config/train-tabletop.toml`.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Tasks, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Demonstrations (or episodes of play) per task.
    #[arg(long, value_name = "N")]
    pub demos: Option<usize>,
    /// Optimizer steps.
    #[arg(long, value_name = "N")]
    pub steps: Option<u64>,
    /// Seed of data, initialisation and noise.
    #[arg(long, value_name = "SEED")]
    pub seed: Option<u64>,
    /// Where tensors live.
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceArg,
    /// Also write the curves as a rerun recording.
    #[arg(long, value_name = "FILE.rrd")]
    pub record: Option<PathBuf>,
    /// Begin with the weights of this policy package instead of random ones.
    #[arg(long, value_name = "DIR")]
    pub init: Option<PathBuf>,
}

/// Families that can be trained.
#[cfg(feature = "sim")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TrainFamily {
    /// Multimodal Diffusion Transformer, from demonstrations.
    #[default]
    Mdt,
    /// Hilbert representations, from play without tasks; see `assets/config/train-hilp.toml`.
    Hilp,
    /// Concepts discovered in demonstrations, and a policy on their key states, one per task; see
    /// `assets/config/train-infocon.toml`.
    Infocon,
    /// Goals as changes, told or shown, from demonstrations of which few are labelled; see
    /// `assets/config/train-grif.toml`.
    Grif,
}

/// What learns from play.
#[cfg(feature = "sim")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PlayLearner {
    /// HILP itself.
    #[default]
    Hilp,
    /// Goal-conditioned behaviour cloning, to compare with.
    Gcbc,
    /// Goal-conditioned implicit Q-learning with goals set in hindsight, to compare with.
    Iql,
}

/// Flags of `eval`.
#[cfg(feature = "sim")]
#[derive(Clone, Debug, Args)]
pub struct EvalArgs {
    /// Policy package (a folder); the shipped one by default.
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Measure the scripted experts instead of a policy.
    #[arg(long, conflicts_with = "policy")]
    pub experts: bool,
    /// Episodes, tasks in turn.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub episodes: usize,
    /// First seed.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
    /// Tasks, separated by commas; the policy's own list (or all ten) by default.
    #[arg(long, value_delimiter = ',', value_name = "TASK")]
    pub tasks: Vec<String>,
    /// Split that episode seeds are drawn from: train, eval or shift.
    #[arg(long, value_name = "SPLIT", default_value = "eval")]
    pub split: String,
    /// Domain shift, for example `camera_pose=2,light=1`.
    #[arg(long, value_name = "KNOBS", default_value = "")]
    pub shift: String,
    /// How the policy is asked: told the instruction, or shown the last picture or the last
    /// proprioception of an expert that did the same episode.
    #[arg(long, value_enum, default_value_t, conflicts_with = "experts")]
    pub goal: GoalArg,
    /// Where tensors live.
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceArg,
    /// Ticks between plans.
    #[arg(long, value_name = "TICKS")]
    pub replan: Option<u32>,
    /// Denoising steps per plan.
    #[arg(long, value_name = "N")]
    pub denoise_steps: Option<u32>,
    /// Let each plan go on from the last one, with so many denoising steps.
    #[arg(long, value_name = "N")]
    pub warm_steps: Option<u32>,
    /// Noise level at which such a plan begins.
    #[arg(
        long,
        value_name = "SIGMA",
        requires = "warm_steps",
        default_value_t = 0.5
    )]
    pub warm_level: f64,
    /// Keep the denoiser's matrices in 16 bits (on the CPU).
    #[arg(long)]
    pub brief_weights: bool,
    /// Where the JSON report goes.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Flags of `sim`.
#[cfg(feature = "sim")]
#[derive(Clone, Debug, Args)]
pub struct SimArgs {
    /// Stop after this many episodes; serves until Ctrl-C by default.
    #[arg(long, value_name = "N")]
    pub episodes: Option<u64>,
    /// How zenoh is reached; listens on `tcp/127.0.0.1:7447` by default.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// Flags of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Policy package to check; the shipped one by default.
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Where the JSON report goes.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Flags of `parity`.
#[derive(Clone, Debug, Args)]
pub struct ParityArgs {
    /// Folder of golden safetensors; sub-folders are searched.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Where tensors live.
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: DeviceArg,
    /// Where the JSON report goes.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print every tensor, not only each file's worst.
    #[arg(long)]
    pub verbose: bool,
}

/// Flags of `bench`.
#[derive(Clone, Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t)]
    pub name: BenchName,
    /// Policy package for `inference` and `learner`; the shipped one by default.
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Where tensors live.
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: DeviceArg,
    /// Pairs of runs for `learner`, one with the learner and one without.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub pairs: u32,
    /// Episodes per run for `learner`; an episode takes about three seconds.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: u32,
    /// For `mdt` and `train`: measure PyTorch (and ONNX Runtime) as well, from Python packages that
    /// are installed into a temporary environment (several gigabytes).
    #[arg(long)]
    pub peers: bool,
    /// Interpreter that has the peers already, instead of the temporary environment.
    #[arg(long, value_name = "FILE", requires = "peers")]
    pub python: Option<PathBuf>,
    /// Where the figures go as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// For `maze`, `hilp` and `infocon`.
    #[cfg(feature = "sim")]
    #[command(flatten)]
    pub play: PlayBenchArgs,
    /// For `infocon`.
    #[cfg(feature = "sim")]
    #[command(flatten)]
    pub infocon: ConceptArgs,
}

/// What `bench` measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BenchName {
    /// All of the below but `mdt`, `train`, `learner`, `maze`, `hilp` and `infocon`, which take minutes.
    #[default]
    All,
    /// What the runtime itself costs per control tick.
    Tick,
    /// Encoding and decoding of messages.
    Codec,
    /// Physics steps and whole demonstrations.
    Sim,
    /// Camera images.
    Render,
    /// Observation in, action chunk out.
    Inference,
    /// A chunk of the authors' full-size MDT and MDT-V with random weights, on one thread.
    Mdt,
    /// Training steps of the tabletop policy on the CPU.
    Train,
    /// The control loop's jitter with the learner on against off, in paired runs in real time.
    #[cfg(feature = "sim")]
    Learner,
    /// HILP trained on play in a maze: rank correlation of its distances with shortest paths, and
    /// goals reached without being trained for, straight and over midpoints.
    #[cfg(feature = "sim")]
    Maze,
    /// HILP and what it is compared with, trained on the same play on the table: goals reached per
    /// task, and rewards earned without being trained for.
    #[cfg(feature = "sim")]
    Hilp,
    /// InfoCon trained on demonstrations: success guided by discovered key states against true ones
    /// and none, and agreement of segments with the true parts of the tasks.
    #[cfg(feature = "sim")]
    Infocon,
}

/// Flags of `import`.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// Family of the policy: raw (default), mdt, grif, hilp or infocon.
    #[arg(value_name = "FAMILY")]
    pub first: String,
    /// The checkpoint. Alone, it is listed or converted as it is.
    #[arg(value_name = "FILE")]
    pub second: Option<PathBuf>,
    /// Where the result goes: a policy's folder, or a `.safetensors` file for a raw conversion.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only list what becomes of every key.
    #[arg(long, conflicts_with = "out")]
    pub keys: bool,
    /// Which weights of a training state; averaged ones if there are any, by default.
    #[arg(long, value_enum)]
    pub weights: Option<WeightsArg>,
    /// Configuration of the network (JSON, as `config` in `policy.json`); read off the file by default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Do not keep the tensors that the policy does not use.
    #[arg(long)]
    pub drop_ignored: bool,
}

impl ImportArgs {
    /// What was said, in either form.
    pub fn family_and_file(&self) -> Result<(FamilyArg, PathBuf), String> {
        let said = match &self.second {
            Some(file) => (FamilyArg::from_str(&self.first, true)?, file.clone()),
            None => (FamilyArg::Raw, PathBuf::from(&self.first)),
        };
        if self.out.is_none() && !self.keys {
            return Err("say where the result goes with --out, or --keys to only list it".into());
        }
        Ok(said)
    }
}

/// Which policy a checkpoint is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FamilyArg {
    /// Any: tensors as they are.
    Raw,
    /// Multimodal Diffusion Transformer.
    Mdt,
    /// Goal Representations for Instruction Following.
    Grif,
    /// Hilbert representations.
    Hilp,
    /// Self-discovered concepts.
    Infocon,
}

/// Which weights of a training state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WeightsArg {
    /// Averaged ones if there are any, else those of the last step.
    #[default]
    Best,
    /// Averaged over training.
    Ema,
    /// Of the last step.
    Raw,
}

/// Flags of `export`.
#[derive(Clone, Debug, Args)]
pub struct ExportArgs {
    /// Policy package (a folder).
    #[arg(value_name = "DIR")]
    pub policy: PathBuf,
    /// Where the tensors go.
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_verb() {
        let cli = Cli::parse_from(["cerebellum", "--episodes", "3"]);
        assert!(cli.verb.is_none());
        assert_eq!(cli.run.episodes, Some(3));
    }

    #[test]
    fn import_takes_a_family_or_a_file_alone() {
        let parse = |words: &[&str]| {
            let words = ["cerebellum", "import"].iter().chain(words);
            match Cli::parse_from(words).verb {
                Some(Verb::Import(args)) => args.family_and_file(),
                other => Err(format!("{other:?}")),
            }
        };
        let file = PathBuf::from("a.pt");
        assert_eq!(
            parse(&["a.pt", "--keys"]),
            Ok((FamilyArg::Raw, file.clone()))
        );
        let words = ["mdt", "a.pt", "--out", "b", "--weights", "ema"];
        assert_eq!(parse(&words), Ok((FamilyArg::Mdt, file)));
        assert!(parse(&["nothing", "a.pt", "--keys"]).is_err());
        assert!(parse(&["a.pt"]).is_err());
    }
}
