//! `cerebellum run`: the main job.

use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use cerebellum_bridge::viewer::{Event, Moment, Viewer, ViewerTap};
use cerebellum_bridge::zenoh::{RobotLink, RobotLinkConfig};
use cerebellum_bridge::{Counters, SessionConfig};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{ClockKind, Goal, GoalSpec, Stamp};
use cerebellum_policies::device;
use indicatif::ProgressBar;

use super::args::{ClockArg, NetworkArgs, RunArgs, WorldArg};
use super::exit::{ExitStatus, Failure};
use super::interrupt;
use crate::control::{ActionInterface, Controller};
use crate::report::RunReport;
use crate::run::brain::Brain;
use crate::run::harness::{Harness, HarnessEvent};
use crate::run::lockstep::LockstepLoop;
use crate::run::realtime::{Parts, RealtimeLoop};
use crate::run::settings::{Pace, RunSettings, WorldKind};
use crate::run::summary;

/// How long the recording may take to be completed.
const PATIENCE: Duration = Duration::from_secs(20);
/// After this long without a word from the world, a person is told what is waited for.
const QUIET: Duration = Duration::from_secs(5);

/// Runs the main job.
///
/// # Errors
/// If the configuration, the policy, the network or an output cannot be used.
pub fn run(args: &RunArgs) -> Result<ExitStatus, Failure> {
    let settings = settings(args).map_err(Failure::input)?;
    let stop = interrupt::flag()?;
    let opened =
        device::open(args.device.unwrap_or_default().into()).map_err(Failure::environment)?;
    let brain = Brain::load(settings.policy.as_deref(), opened).map_err(Failure::input)?;
    if let Some(path) = &args.json {
        check_writable(path).map_err(Failure::environment)?;
    }
    let counters = Counters::new();
    let viewer = Viewer::start(&settings.viewer, &counters).map_err(Failure::environment)?;
    let job = Job {
        args,
        settings: &settings,
        brain: &brain,
        counters: &counters,
        viewer: viewer.tap(),
        stop: &stop,
    };
    let report = job.execute();
    let recording = viewer.finish(PATIENCE);
    let report = report?;
    print!("\n{}", report.table());
    match recording {
        Ok(Some(path)) => {
            println!(
                "{:<28} {} (open it with `rerun {}`; viewer 0.36)",
                "recording",
                path.display(),
                path.display()
            );
        }
        Ok(None) => {}
        Err(error) => return Err(Failure::environment(error)),
    }
    super::output::save(args.json.as_deref(), &report)?;
    let interrupted = stop.load(Ordering::Relaxed) && settings.world.kind != WorldKind::Robot;
    Ok(if interrupted {
        ExitStatus::Interrupted
    } else {
        ExitStatus::Success
    })
}

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
fn settings(args: &RunArgs) -> anyhow::Result<RunSettings> {
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
fn check_writable(path: &std::path::Path) -> anyhow::Result<()> {
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

struct Job<'a> {
    args: &'a RunArgs,
    settings: &'a RunSettings,
    brain: &'a Brain,
    counters: &'a Counters,
    viewer: ViewerTap,
    stop: &'a Arc<AtomicBool>,
}

impl Job<'_> {
    fn execute(&self) -> Result<RunReport, Failure> {
        let mut session = self.settings.network.clone();
        let world = self.settings.world.kind;
        let world_stop = Arc::new(AtomicBool::new(false));
        let _world = (world == WorldKind::Embedded)
            .then(|| self.embed(&mut session, Arc::clone(&world_stop)))
            .transpose()
            .map_err(Failure::peer)?;
        if session.connect.is_empty() && session.listen.is_empty() && session.config_file.is_none()
        {
            session.connect = SessionConfig::local_runtime().connect;
        }
        let spec = self.brain.spec().map_err(Failure::input)?;
        let config = RobotLinkConfig {
            session,
            cameras: spec
                .cameras
                .iter()
                .map(|camera| camera.name.clone())
                .collect(),
            ..RobotLinkConfig::default()
        };
        let link = Arc::new(RobotLink::open(&config, self.counters).map_err(Failure::peer)?);
        let result = match self.settings.world.clock {
            Pace::Realtime => self.realtime(&link),
            Pace::Lockstep => self.lockstep(&link),
        };
        world_stop.store(true, Ordering::Release);
        result
    }

    /// Starts the embedded world on a port of its own and points `session` to it.
    #[cfg(feature = "sim")]
    fn embed(
        &self,
        session: &mut SessionConfig,
        stop: Arc<AtomicBool>,
    ) -> anyhow::Result<WorldGuard> {
        let endpoint = free_endpoint()?;
        let world = SessionConfig {
            listen: vec![endpoint.clone()],
            connect: Vec::new(),
            node: "world".to_owned(),
            ..session.clone()
        };
        session.connect = vec![endpoint];
        session.listen.clear();
        let mut server =
            crate::run::world::WorldServer::open(world, self.counters, Arc::clone(&stop))?;
        let thread = std::thread::Builder::new()
            .name("world".to_owned())
            .spawn(move || {
                if let Err(error) = server.serve() {
                    tracing::error!("the embedded world ended: {error}");
                }
            })?;
        Ok(WorldGuard {
            stop,
            thread: Some(thread),
        })
    }

    #[cfg(not(feature = "sim"))]
    fn embed(&self, _: &mut SessionConfig, _: Arc<AtomicBool>) -> anyhow::Result<WorldGuard> {
        Err(anyhow!(
            "this build has no embedded world: use `--world zenoh` or `--world robot`, or build with `--features sim`"
        ))
    }

    fn harness(&self) -> Harness {
        let world = &self.settings.world;
        let clock = match world.clock {
            Pace::Realtime => ClockKind::RealTime,
            Pace::Lockstep => ClockKind::Lockstep,
        };
        let episodes = if world.kind == WorldKind::Robot {
            0
        } else {
            world.episodes
        };
        // A world that outlived an earlier run must not take these episodes for that run's.
        let first = match world.kind {
            WorldKind::Embedded => 1,
            WorldKind::Zenoh | WorldKind::Robot => {
                crate::clock::WallTime::now().nanos().unsigned_abs() / 1_000_000
            }
        };
        Harness::new(Harness::round_robin(
            &world.tasks,
            episodes,
            self.settings.seed,
            first,
            &world.split,
            &world.shift,
            clock,
        ))
    }

    fn realtime(&self, link: &Arc<RobotLink>) -> Result<RunReport, Failure> {
        let settings = self.settings;
        let robot = Robot::tabletop()?;
        let (core, slot) = self
            .brain
            .inference(settings.seed, &settings.inference)
            .map_err(Failure::input)?;
        let spec = core.spec().clone();
        let controller = Controller::new(
            robot.clone(),
            ActionInterface::from(&spec),
            settings.control.clone(),
        )
        .map_err(Failure::input)?;
        let learner = settings
            .learn
            .then(|| {
                self.brain
                    .learner(&spec, &robot, settings.learner.clone(), slot, settings.seed)
            })
            .transpose()
            .map_err(Failure::input)?;
        let running = RealtimeLoop::start(Parts {
            link: Arc::clone(link),
            counters: self.counters.clone(),
            viewer: self.viewer.clone(),
            robot,
            controller,
            inference: core,
            learner,
            control_config: settings.control.clone(),
            inference_config: settings.inference.clone(),
            pace: settings.learner.pace.clone(),
        })
        .map_err(Failure::environment)?;
        for warning in &running.realtime().warnings {
            tracing::warn!("{warning}");
        }
        let mut harness = self.harness();
        let result = self.drive(
            link,
            &mut harness,
            |event| match event {
                Driven::Goal(goal, stamp) => running.set_goal(goal, stamp),
                Driven::Clear => running.clear_goal(),
                Driven::Idle => std::thread::sleep(Duration::from_millis(5)),
            },
            || running.is_finished(),
        );
        let outcome = running.stop();
        result?;
        if let Some(fault) = &outcome.control.fault {
            return Err(anyhow!("the control thread ended by a fault: {fault}").into());
        }
        let mut report = summary::realtime(&outcome, self.counters, settings.control.rate_hz);
        self.complete(&mut report, &harness, &spec.name);
        Ok(report)
    }

    fn lockstep(&self, link: &Arc<RobotLink>) -> Result<RunReport, Failure> {
        let settings = self.settings;
        let robot = Robot::tabletop()?;
        let stepper = self
            .brain
            .stepper(
                &robot,
                settings.seed,
                settings.control.clone(),
                &settings.inference,
                &settings.lockstep,
                settings.learn.then(|| settings.learner.clone()),
            )
            .map_err(Failure::input)?;
        let name = stepper.planner().core().spec().name.clone();
        let log = self.args.log_commands.as_ref().map(|path| {
            std::fs::File::create(path)
                .with_context(|| format!("{} cannot be written", path.display()))
        });
        let log = log.transpose().map_err(Failure::environment)?;
        let log = log.map(|file| Box::new(BufWriter::new(file)) as Box<dyn std::io::Write + Send>);
        let mut looping =
            LockstepLoop::new(Arc::clone(link), self.viewer.clone(), robot, stepper, log);
        let mut harness = self.harness();
        let mut since: Option<Stamp> = None;
        let mut broken = None;
        self.drive(
            link,
            &mut harness,
            |event| match event {
                Driven::Goal(goal, stamp) => {
                    looping.set_goal(&goal, stamp);
                    since = stamp.or(since);
                }
                Driven::Clear => {
                    looping.clear_goal();
                    since = None;
                }
                Driven::Idle => {
                    if let Err(error) = looping.turn(since) {
                        broken = Some(error);
                        self.stop.store(true, Ordering::Relaxed);
                    }
                }
            },
            || false,
        )?;
        if let Some(error) = broken {
            return Err(Failure::environment(anyhow!(
                "the command log cannot be written: {error}"
            )));
        }
        let mut report = summary::lockstep(&looping, self.counters, settings.control.rate_hz);
        self.complete(&mut report, &harness, &name);
        Ok(report)
    }

    fn complete(&self, report: &mut RunReport, harness: &Harness, policy: &str) {
        report.tasks.clone_from(harness.tallies());
        report.device = self.brain.device().to_owned();
        policy.clone_into(&mut report.policy);
        report.seed = self.settings.seed;
    }

    /// Runs the episodes, or a robot until it is told to stop.
    fn drive(
        &self,
        link: &RobotLink,
        harness: &mut Harness,
        mut act: impl FnMut(Driven),
        ended: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let on_robot = self.settings.world.kind == WorldKind::Robot;
        let limit = self
            .args
            .duration
            .map(Duration::from_secs_f64)
            .filter(|_| on_robot);
        let bar = if on_robot {
            ProgressBar::hidden()
        } else {
            super::progress_bar("episodes", "{pos}/{len} {elapsed} {msg}")
        };
        bar.set_length(harness.progress().1 as u64);
        let mut quiet = Some(begun);
        if let Some(text) = self.args.goal.as_ref().filter(|_| on_robot) {
            act(Driven::Goal(
                Goal {
                    id: 1,
                    spec: GoalSpec::Language { text: text.clone() },
                },
                None,
            ));
        }
        while !self.stop.load(Ordering::Relaxed)
            && !ended()
            && limit.is_none_or(|limit| begun.elapsed() < limit)
        {
            while let Some(received) = link.episodes().try_receive() {
                quiet = None;
                self.viewer
                    .offer(Moment::default(), Event::Episode(received.message.clone()));
                let event = harness.on_status(&received.message, begun.elapsed());
                self.follow(event, &bar, &mut act)?;
            }
            if let Some(goal) = link.take_goal() {
                tracing::info!("goal {} from the network", goal.id);
                act(Driven::Goal(goal, None));
            }
            if !on_robot {
                if harness.finished() {
                    break;
                }
                let (request, event) = harness.poll(begun.elapsed());
                self.follow(event, &bar, &mut act)?;
                if let Some(request) = request {
                    link.requests().offer(&request);
                }
                bar.set_position(harness.progress().0 as u64);
                if quiet.is_some_and(|since| since.elapsed() > QUIET) {
                    quiet = None;
                    tracing::warn!(
                        "no world answers: start one with `cerebellum sim`, or check `--connect`; still asking"
                    );
                }
            }
            act(Driven::Idle);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn follow(
        &self,
        event: Option<HarnessEvent>,
        bar: &ProgressBar,
        act: &mut impl FnMut(Driven),
    ) -> Result<(), Failure> {
        match event {
            None => {}
            Some(HarnessEvent::Began { goal, stamp }) => {
                if let GoalSpec::Language { text } = &goal.spec {
                    bar.set_message(text.clone());
                }
                act(Driven::Goal(goal, Some(stamp)));
            }
            Some(HarnessEvent::Ended {
                task,
                success,
                ticks,
            }) => {
                bar.println(format!(
                    "{task:<16} {} after {ticks} ticks",
                    if success { "succeeded" } else { "failed   " }
                ));
                act(Driven::Clear);
            }
            Some(HarnessEvent::WorldLost) => {
                tracing::warn!(
                    "the world fell silent: the robot is held, the episode is asked for again"
                );
                act(Driven::Clear);
            }
            Some(HarnessEvent::Refused(reason)) => {
                return Err(Failure::peer(anyhow!(
                    "the world refuses the episode: {reason}"
                )));
            }
        }
        Ok(())
    }
}

/// What the drive asks of a loop.
enum Driven {
    /// Follow a goal; the stamp at which a world was reset for it.
    Goal(Goal, Option<Stamp>),
    /// Follow none.
    Clear,
    /// Nothing happened.
    Idle,
}

/// Ends the embedded world with the run.
struct WorldGuard {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for WorldGuard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the embedded world panicked");
        }
    }
}

/// A loopback endpoint that nobody listens on.
#[cfg(feature = "sim")]
fn free_endpoint() -> anyhow::Result<String> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", 0)).context("no loopback port is to be had")?;
    Ok(format!("tcp/127.0.0.1:{}", listener.local_addr()?.port()))
}
