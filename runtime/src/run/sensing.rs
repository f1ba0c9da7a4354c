//! Sensor messages in; measured joints for the control thread and observations for the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use cerebellum_bridge::sync::Queue;
use cerebellum_bridge::{Alarm, Counter, ObservationAssembler, SensorSet};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{Observation, TcpPose};

use super::capture::CaptureClock;
use super::mailbox::ObservationBox;
use crate::clock::{MonotonicTime, Span};
use crate::control::{Measured, MeasuredSender, Signals};
use crate::inference::Pulse;

/// Longest wait for a sensor message before looking at the other signs of life.
const POLL: Duration = Duration::from_millis(10);

/// At most one warning of joint states that do not fit per this long.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// An observation and when its parts arrived.
#[derive(Clone, Debug)]
pub struct Sensed {
    /// The observation.
    pub observation: Arc<Observation>,
    /// When the part that arrived first arrived.
    pub oldest: Instant,
}

/// The tool pose at measured joints.
pub fn tcp_pose(robot: &Robot, measured: &Measured) -> TcpPose {
    let pose = robot.forward(&measured.position);
    TcpPose {
        position: pose.position.to_array(),
        orientation: pose.orientation.to_array(),
    }
}

/// All that the thread is connected to.
pub struct SensingIo {
    /// Sensor messages in.
    pub sensors: ObservationAssembler,
    /// The robot, for the tool pose.
    pub robot: Robot,
    /// Measured joints, to the control thread.
    pub measured: MeasuredSender,
    /// Flags for the control thread.
    pub signals: Arc<Signals>,
    /// Signs of life of the inference thread.
    pub pulse: Arc<Pulse>,
    /// Observations, to the inference thread.
    pub newest: ObservationBox,
    /// Observations, to the recorder.
    pub history: Queue<Sensed>,
    /// Whether the robot can be heard.
    pub peer_alive: Box<dyn Fn() -> bool + Send>,
    /// A set whose parts do not belong together exactly is used after this time all the same.
    pub period: Duration,
    /// Tells which tick an observation is for.
    pub capture: CaptureClock,
    /// Counts joint states that do not fit the robot.
    pub misfits: Counter,
}

/// A running sensing thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct SensingThread {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl SensingThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(io: SensingIo) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut work = Work {
            io,
            beats: 0,
            given: None,
            alarm: Alarm::every(WARN_EVERY),
        };
        let thread = std::thread::Builder::new()
            .name("sensing".to_owned())
            .spawn(move || {
                while !stopped.load(Ordering::Acquire) {
                    work.turn();
                }
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
        })
    }
}

impl Drop for SensingThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sensing thread panicked: the robot was held as stale");
        }
    }
}

struct Work {
    io: SensingIo,
    beats: u64,
    given: Option<Instant>,
    alarm: Alarm,
}

impl Work {
    fn turn(&mut self) {
        let set = self.io.sensors.wait_newer(Instant::now() + POLL);
        let beats = self.io.pulse.beats();
        if std::mem::replace(&mut self.beats, beats) != beats {
            self.io.signals.beat();
        }
        self.io.signals.set_peer_alive((self.io.peer_alive)());
        if let Some(set) = set {
            self.take(set);
        }
    }

    fn take(&mut self, set: SensorSet) {
        let io = &mut self.io;
        let measured = match Measured::from_message(&set.joints, io.robot.names()) {
            Ok(measured) => measured,
            Err(error) => {
                io.misfits.increment();
                if let Some(held_back) = self.alarm.ring() {
                    tracing::error!(held_back, "the robot is held: {error}");
                }
                return;
            }
        };
        io.measured.send(measured, monotonic(set.joints_arrival));
        // Three messages make a set; the first two are seen together with parts of the set before.
        let waited = self
            .given
            .is_none_or(|given| given.elapsed() >= io.period.mul_f64(1.5));
        if !(set.is_exact() || waited) {
            return;
        }
        self.given = Some(Instant::now());
        let oldest = set.oldest_arrival();
        io.signals.observe(monotonic(oldest));
        let arrived = monotonic(set.joints_arrival);
        let captured = io.capture.capture(set.joints.stamp, arrived);
        let tick = io.capture.tick(captured);
        let observation =
            Arc::new(set.into_observation(tick, Some(tcp_pose(&io.robot, &measured))));
        io.newest.put(Arc::clone(&observation));
        io.history.send(Sensed {
            observation,
            oldest,
        });
    }
}

fn monotonic(instant: Instant) -> MonotonicTime {
    MonotonicTime::now() - Span::from(instant.elapsed())
}
