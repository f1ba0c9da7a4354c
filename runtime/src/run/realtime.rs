//! The threads of a run in real time, wired together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cerebellum_bridge::sync::{Bound, Queue};
use cerebellum_bridge::viewer::{Event, Moment, ViewerTap};
use cerebellum_bridge::zenoh::RobotLink;
use cerebellum_bridge::{Counters, topics};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{Goal, JointState, Stamp};

use super::capture::{CaptureClock, SensingConfig};
use super::commands::CommandThread;
use super::mailbox::{GoalBox, ObservationBox};
use super::recorder::{RecorderIo, RecorderThread};
use super::sensing::{SensingIo, SensingThread, tcp_pose};
use super::taps::{Chunks, Experiences, FaultLog, Feedbacks, PolicyTap, Reports};
use crate::control::{
    Capacities, ControlConfig, ControlError, ControlExit, ControlHandle, Controller,
    HistogramSnapshot, Measured, Signals, links,
};
use crate::inference::{
    InferenceConfig, InferenceCore, InferenceIo, InferenceStats, InferenceThread, Slack,
    WarmupInputs,
};
use crate::learner::{
    LearnerCore, LearnerIo, LearnerState, LearnerStats, LearnerThread, PaceConfig,
};
use crate::realtime::{Background, RealtimeOutcome, lower_priority, other_cpus};

/// How long a thread may take to end before it is left behind.
const PATIENCE: Duration = Duration::from_secs(5);
/// Experience that may wait for the learner: a minute at 20 Hz.
const EXPERIENCE: usize = 1200;

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The control loop.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The operating system gave no thread.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// All that the threads are made from.
pub struct Parts {
    /// The network.
    pub link: Arc<RobotLink>,
    /// Counts.
    pub counters: Counters,
    /// Pictures.
    pub viewer: ViewerTap,
    /// The robot.
    pub robot: Robot,
    /// The control loop.
    pub controller: Controller,
    /// The policy.
    pub inference: InferenceCore,
    /// The learner.
    pub learner: Option<LearnerCore>,
    /// Settings of the control loop.
    pub control_config: ControlConfig,
    /// Settings of the inference thread.
    pub inference_config: InferenceConfig,
    /// What is known of the sensors.
    pub sensing_config: SensingConfig,
    /// How much of the machine the learner may use.
    pub pace: PaceConfig,
}

/// A running loop: sensors in, commands out, learning beside.
pub struct RealtimeLoop {
    // In the order in which they are stopped.
    control: ControlHandle,
    inference: InferenceThread,
    learner: Option<LearnerThread>,
    sensing: SensingThread,
    commands: CommandThread,
    recorder: RecorderThread,
    signals: Arc<Signals>,
    goals: GoalBox,
    newest: ObservationBox,
    goal: Arc<Mutex<Option<Arc<Goal>>>>,
    viewer: ViewerTap,
}

/// What a loop did.
#[derive(Debug)]
pub struct Outcome {
    /// The control thread's figures.
    pub control: ControlExit,
    /// The inference thread's, unless it died.
    pub inference: Option<InferenceStats>,
    /// The learner's.
    pub learner: Option<(LearnerState, LearnerStats)>,
    /// Ages of the observations behind executed actions [ns].
    pub ages: HistogramSnapshot,
}

impl RealtimeLoop {
    /// Starts all threads; the robot is held until there is a goal.
    ///
    /// # Errors
    /// If a thread cannot be had, or strict real-time demands are refused.
    pub fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts {
            link,
            counters,
            viewer,
            robot,
            controller,
            inference,
            learner,
            ..
        } = parts;
        let names = robot.names().to_vec();
        let action_dim = inference.spec().action_dim;
        let period = controller.period();
        let (end, others) = links(Capacities::default());
        let goal = Arc::new(Mutex::new(None));
        let (goals, newest) = (GoalBox::default(), ObservationBox::default());
        let history = Queue::new(Bound::newest(256), counters.dropped("history", "full"));
        let experience = Queue::new(
            Bound::newest(EXPERIENCE),
            counters.dropped("experience", "full"),
        );
        let feedback = Queue::new(Bound::newest(64), counters.dropped("feedback", "full"));

        let publisher = Arc::clone(&link);
        let mut ring = others.commands;
        let commands = CommandThread::spawn(
            move || ring.newest(),
            names.clone(),
            period,
            counters.dropped(topics::COMMAND, "superseded"),
            move |command| publisher.commands().offer(command),
        )?;
        let reserved = parts
            .control_config
            .realtime
            .affinity
            .clone()
            .unwrap_or_default();
        let control = ControlHandle::start(controller, end, commands.thread())?;
        let clock = control.clock();

        let slack = Slack::closed();
        let home = Measured {
            position: *robot.home(),
            ..Measured::default()
        };
        let inference = InferenceThread::spawn(
            inference,
            &parts.inference_config,
            period.span().duration(),
            InferenceIo {
                observations: Box::new(newest.clone()),
                goals: Box::new(goals.clone()),
                chunks: Box::new(Chunks(others.chunks)),
                tap: Box::new(PolicyTap {
                    link: Arc::clone(&link),
                    viewer: viewer.clone(),
                    signals: Arc::clone(&others.signals),
                    feedback: feedback.clone(),
                    faults: FaultLog::new(&counters),
                }),
                slack: slack.clone(),
                warmup: WarmupInputs {
                    joints: JointState {
                        names: names.clone(),
                        position: home.position.iter().take(names.len()).copied().collect(),
                        ..JointState::default()
                    },
                    tcp: Some(tcp_pose(&robot, &home)),
                    goal: None,
                },
                on_start: None,
            },
        )?;
        let learner = learner
            .map(|core| {
                let io = LearnerIo {
                    experience: Box::new(Experiences(experience.clone())),
                    feedback: Box::new(Feedbacks(feedback.clone())),
                    reports: Box::new(Reports {
                        link: Arc::clone(&link),
                        viewer: viewer.clone(),
                    }),
                    slack,
                    step_back: Some(Arc::new(move || step_back(&reserved))),
                };
                LearnerThread::spawn(core, parts.pace, io)
            })
            .transpose()?;
        let (watched, told) = (Arc::clone(&link), Arc::clone(&link));
        let sensing = SensingThread::spawn(SensingIo {
            sensors: link.observations(),
            robot,
            measured: others.measured,
            signals: Arc::clone(&others.signals),
            pulse: inference.pulse(),
            newest: newest.clone(),
            history: history.clone(),
            peer_alive: Box::new(move || watched.robot_alive()),
            period: period.span().duration(),
            capture: CaptureClock::new(clock, &parts.sensing_config),
            misfits: counters.dropped("joint_states", "misfit"),
        })?;
        let recorder = RecorderThread::spawn(RecorderIo {
            records: others.records,
            history,
            goal: Arc::clone(&goal),
            experience: learner.is_some().then_some(experience),
            feedback,
            viewer: viewer.clone(),
            status: Box::new(move |status| told.statuses().offer(status)),
            stats: others.stats,
            clock,
            names,
            action_dim,
        })?;
        Ok(Self {
            control,
            inference,
            learner,
            sensing,
            commands,
            recorder,
            signals: others.signals,
            goals,
            newest,
            goal,
            viewer,
        })
    }

    /// What the operating system granted the control thread.
    pub const fn realtime(&self) -> &RealtimeOutcome {
        self.control.realtime()
    }

    /// Follows a goal from now on. `relocated`: the robot was put elsewhere for it, and joint states
    /// from this stamp on tell where.
    pub fn set_goal(&self, goal: Goal, relocated: Option<Stamp>) {
        self.viewer
            .offer(Moment::default(), Event::Goal(goal.clone()));
        *self.goal.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(goal.clone()));
        self.signals.set_goal(goal.id);
        if let Some(stamp) = relocated {
            self.signals.relocate(stamp);
            // What was seen before the reset says nothing about the robot any more.
            self.newest.clear();
        }
        self.goals.set(goal);
    }

    /// Follows no goal: the robot is held.
    pub fn clear_goal(&self) {
        *self.goal.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.signals.set_goal(0);
        self.goals.clear();
    }

    /// Whether the control thread has ended by itself, which it does only by a fault.
    pub fn is_finished(&self) -> bool {
        self.control.is_finished()
    }

    /// What the control loop is doing.
    pub fn state(&self) -> cerebellum_messages::RuntimeState {
        self.control.snapshot().state
    }

    /// Updates and accepted generations so far.
    pub fn learned(&self) -> Option<(u64, u64)> {
        self.learner.as_ref().map(|learner| {
            let stats = learner.stats();
            (stats.updates, stats.accepted)
        })
    }

    /// Brings the robot to rest and ends all threads.
    pub fn stop(self) -> Outcome {
        let control = self.control.stop();
        let learner = self.learner.map(|learner| learner.stop(PATIENCE));
        let inference = self.inference.stop(PATIENCE);
        drop(self.commands);
        drop(self.sensing);
        let ages = self.recorder.ages();
        drop(self.recorder);
        Outcome {
            control,
            inference,
            learner,
            ages: ages.snapshot(),
        }
    }
}

/// The learner gives way to everyone and keeps off the control thread's CPUs.
fn step_back(reserved: &[usize]) {
    let cpus = other_cpus(reserved);
    let cpus = (!reserved.is_empty()).then_some(cpus.as_slice());
    if let Err(warning) = lower_priority(Background::Idle, cpus) {
        tracing::warn!("{warning}");
    }
}
