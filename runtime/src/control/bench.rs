//! How long the control loop's own work takes, and how punctual it is on this computer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use cerebellum_kinematics::{Joints, Robot};
use cerebellum_messages::{ActionChunk, ActionSpace, Stamp, Tick};
use serde::Serialize;

use super::chunk::FixedChunk;
use super::config::{ActionInterface, ControlConfig, ControlError};
use super::controller::Controller;
use super::counters::Counter;
use super::cycle::Cycle;
use super::histogram::{Figures, Histogram};
use super::links::{Capacities, ChunkSender, MeasuredSender, STANDBY, Signals, links};
use super::pacer::{Pacer, Wake};
use super::record::Measured;
use super::thread::ControlHandle;
use crate::clock::{MonotonicTime, Span};
use crate::realtime::RealtimeOutcome;

/// Ticks between chunks, and the age of the observation behind each.
const REPLAN: u64 = 5;
/// Actions per chunk.
const HORIZON: usize = 20;
/// The actions of the shipped policies.
const ACTIONS: ActionInterface = ActionInterface {
    space: ActionSpace::TcpDelta,
    dim: 7,
    translation_scale: 0.02,
    rotation_scale: 0.1,
};

/// What the policy asks for while the loop is timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Motions as a trained policy plans them.
    #[default]
    Smooth,
    /// Motions that no joint can follow: the servo's search goes to its last iteration at every
    /// tick, and the limits are always at work. The bound of what a tick can cost.
    Unreachable,
}

/// Times of the control loop's own work, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TickFigures {
    /// One whole turn of the loop: chunk in, blending, servo, limits, command and record out.
    pub turn_ns: Figures,
    /// Of these, the push of the record into its ring.
    pub tap_ns: Figures,
    /// Turns that executed an action, to show that the figures are of the full path.
    pub executed: u64,
}

/// Times `ticks` turns of the loop, back to back, under the load of a policy that plans
/// twenty actions at every fifth tick, blended under the configuration's rule.
///
/// # Errors
/// If the configuration makes no sense for the robot.
pub fn tick_overhead(
    robot: Robot,
    config: ControlConfig,
    ticks: u64,
) -> Result<TickFigures, ControlError> {
    tick_overhead_under(Load::Smooth, robot, config, ticks)
}

/// As [`tick_overhead`], under a load of choice.
///
/// # Errors
/// As there.
pub fn tick_overhead_under(
    load: Load,
    robot: Robot,
    config: ControlConfig,
    ticks: u64,
) -> Result<TickFigures, ControlError> {
    let home = *robot.home();
    let controller = Controller::new(robot, ACTIONS, config)?;
    let (end, others) = links(Capacities::default());
    let mut cycle = Cycle::new(controller, end, None);
    others.signals.set_goal(1);
    let (mut records, mut commands) = (others.records, others.commands);
    let mut inputs = Inputs {
        measured: others.measured,
        chunks: others.chunks,
        signals: others.signals,
    };

    let (turn, tap) = (Histogram::default(), Histogram::default());
    let (mut taps_in, mut taps_out) = rtrb::RingBuffer::new(16);
    for tick in 0..ticks {
        inputs.feed(load, tick, home);
        let begin = MonotonicTime::now();
        let record = cycle.run(&Wake {
            tick: Tick(tick),
            deadline: begin,
            woke: begin,
            missed: 0,
        });
        turn.record((MonotonicTime::now() - begin).nanos().max(0) as u64);
        let begin = MonotonicTime::now();
        let pushed = taps_in.push(record);
        tap.record((MonotonicTime::now() - begin).nanos().max(0) as u64);
        std::hint::black_box(&pushed);
        while taps_out.pop().is_ok() {}
        while records.pop().is_some() {}
        while commands.pop().is_some() {}
    }
    Ok(TickFigures {
        turn_ns: turn.snapshot().figures(),
        tap_ns: tap.snapshot().figures(),
        executed: cycle.controller().counters().get(Counter::Executed),
    })
}

/// What a robot and a policy write to.
struct Inputs {
    measured: MeasuredSender,
    chunks: ChunkSender,
    signals: Arc<Signals>,
}

impl Inputs {
    /// Gives the loop what a robot and a policy would have given it before `tick`.
    fn feed(&mut self, load: Load, tick: u64, home: Joints) {
        let now = MonotonicTime::now();
        let stamp = Stamp(i64::try_from(tick).unwrap_or(i64::MAX));
        let measured = Measured {
            stamp,
            position: home,
        };
        self.measured.send(measured, now);
        self.signals.observe(now);
        self.signals.beat();
        if tick.is_multiple_of(REPLAN) {
            // Back and forth about the home posture, so that the arm moves and stays in reach.
            let size = match load {
                Load::Smooth => 0.5,
                Load::Unreachable => 40.0,
            };
            let way = if (tick / 40).is_multiple_of(2) {
                size
            } else {
                -size
            };
            let action = [way, 0.5 * way, -0.3 * way, 0.1 * way, 0.0, 0.2 * way, way];
            let chunk = FixedChunk::try_from(&ActionChunk {
                stamp,
                observed: Tick(tick.saturating_sub(REPLAN)),
                goal_id: 1,
                generation: 0,
                denoise_steps: 10,
                space: ActionSpace::TcpDelta,
                action_dim: 7,
                actions: action.repeat(HORIZON),
            });
            if let Ok(chunk) = chunk {
                // A full ring would show in `executed`.
                let _sent = self.chunks.send_fixed(chunk);
            }
        }
    }
}

/// The control loop's own work with a period of sleep before every tick, as in a run: the caches
/// hold other things then, and waking the thread that sends is part of the work.
///
/// Takes `ticks` periods.
///
/// # Errors
/// If the configuration makes no sense for the robot, or is strict and not permitted.
pub fn paced_overhead(
    robot: Robot,
    config: ControlConfig,
    ticks: u64,
) -> Result<Figures, ControlError> {
    let home = *robot.home();
    let period = config.period()?.span();
    let controller = Controller::new(robot, ACTIONS, config)?;
    let (end, mut others) = links(Capacities::default());
    others.signals.set_goal(1);
    let mut commands = others.commands;
    let ended = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&ended);
    let sender = std::thread::Builder::new()
        .name("commands".to_owned())
        .spawn(move || {
            // As the thread of a run, which stays awake from the announcement to the command.
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                while commands.pop().is_none() && begun.elapsed() < STANDBY {
                    std::hint::spin_loop();
                }
                std::thread::park_timeout(period.duration());
            }
        })?;
    let handle = ControlHandle::start(controller, end, Some(sender.thread().clone()))?;
    let clock = handle.clock();
    let mut inputs = Inputs {
        measured: others.measured,
        chunks: others.chunks,
        signals: others.signals,
    };
    for tick in 0..ticks {
        // Half a period before its tick, where a robot's messages would come.
        let due = clock.start_of(Tick(tick)) - Span::from_nanos(period.nanos() / 2);
        std::thread::sleep((due - MonotonicTime::now()).max(Span::ZERO).duration());
        inputs.feed(Load::Smooth, tick, home);
        while others.records.pop().is_some() {}
    }
    let ended_with = handle.stop();
    ended.store(true, Ordering::Relaxed);
    sender.thread().unpark();
    if sender.join().is_err() || ended_with.fault.is_some() {
        let fault = ended_with.fault.unwrap_or_default();
        return Err(ControlError::Died(fault));
    }
    Ok(ended_with.snapshot.work.figures())
}

/// How punctual an empty loop is.
#[derive(Clone, Debug, Serialize)]
pub struct PacingFigures {
    /// How late ticks began, in nanoseconds.
    pub lateness_ns: Figures,
    /// Ticks missed.
    pub missed: u64,
    /// What the operating system granted.
    pub realtime: RealtimeOutcome,
}

/// Runs an empty loop of `ticks` ticks at the configured rate, in a thread set up as the control
/// thread is. Takes `ticks` periods.
///
/// # Errors
/// If the configuration makes no sense, or is strict and not permitted.
pub fn pacing(config: &ControlConfig, ticks: u64) -> Result<PacingFigures, ControlError> {
    let period = config.period()?;
    let config = config.clone();
    let run = move || -> Result<PacingFigures, ControlError> {
        let realtime = config.realtime.apply()?;
        let mut pacer = Pacer::new(MonotonicTime::now() + period.span(), period, &config.pacing);
        let lateness = Histogram::default();
        let mut missed = 0;
        for _ in 0..ticks {
            let wake = pacer.wait();
            missed += wake.missed;
            lateness.record(wake.lateness().max(Span::ZERO).nanos() as u64);
        }
        Ok(PacingFigures {
            lateness_ns: lateness.snapshot().figures(),
            missed,
            realtime,
        })
    };
    std::thread::Builder::new()
        .name("pacing".to_owned())
        .spawn(run)?
        .join()
        .unwrap_or_else(|_panic| Err(ControlError::Died("panic".to_owned())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::realtime::RealtimeConfig;

    #[test]
    fn the_timed_path_is_the_full_one() {
        for load in [Load::Smooth, Load::Unreachable] {
            let robot = Robot::tabletop().unwrap();
            let config = ControlConfig::default();
            let figures = tick_overhead_under(load, robot, config, 200).unwrap();
            assert_eq!(figures.turn_ns.count, 200);
            assert!(figures.executed >= 190, "{figures:?}");
            // Generous: the machine may be busy. The figure itself belongs to the benchmark.
            assert!(figures.turn_ns.p50 < 2_000_000, "{figures:?}");
        }
    }

    #[test]
    fn pacing_counts_every_tick() {
        let config = ControlConfig {
            rate_hz: 500.0,
            realtime: RealtimeConfig::ORDINARY,
            ..ControlConfig::default()
        };
        let figures = pacing(&config, 50).unwrap();
        assert_eq!(figures.lateness_ns.count, 50);
    }
}
