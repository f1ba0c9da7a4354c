//! `cerebellum run`: the main job.

mod drive;
mod embedded;
mod settings;

use std::io::BufWriter;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use cerebellum_bridge::viewer::{Viewer, ViewerTap};
use cerebellum_bridge::zenoh::{RobotLink, RobotLinkConfig};
use cerebellum_bridge::{Counters, SessionConfig};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{ClockKind, Stamp};
use cerebellum_policies::device;

pub use settings::{default_tasks, network};

use drive::Driven;
use embedded::embed;
use settings::{check_writable, settings};

use super::args::RunArgs;
use super::exit::{ExitStatus, Failure};
use super::interrupt;
use crate::control::{ActionInterface, Controller};
use crate::report::RunReport;
use crate::run::brain::Brain;
use crate::run::harness::Harness;
use crate::run::lockstep::LockstepLoop;
use crate::run::realtime::{Parts, RealtimeLoop};
use crate::run::settings::{Pace, RunSettings, WorldKind};
use crate::run::summary;

/// How long the recording may take to be completed.
const PATIENCE: Duration = Duration::from_secs(20);

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
            .then(|| embed(&mut session, self.counters, Arc::clone(&world_stop)))
            .transpose()
            .map_err(Failure::peer)?;
        if session.connect.is_empty() && session.listen.is_empty() && session.config_file.is_none()
        {
            session.connect = SessionConfig::local_runtime().connect;
        }
        let spec = self.brain.spec();
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
            sensing_config: settings.sensing.clone(),
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
        let mut looping = LockstepLoop::new(
            Arc::clone(link),
            self.counters,
            self.viewer.clone(),
            robot,
            stepper,
            log,
        );
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
        let finished = looping.finish();
        if let Some(error) = broken.or(finished.err()) {
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
}
