//! One tick of control, as a pure step: state and inputs in, command and explanation out.
//!
//! The same object runs inside the real-time thread and in lockstep with a simulator. It reads no
//! clock and draws no random numbers, so the same inputs give the same commands bit for bit; and it
//! neither allocates, locks, logs nor blocks.

use std::sync::Arc;

use cerebellum_kinematics::{Joints, MAX_DOF, Robot, TcpServo};
use cerebellum_messages::{ActionSpace, RuntimeState, Stamp, Tick};
use glam::DVec3;

use super::chunk::{Action, FixedChunk};
use super::config::{ActionInterface, ControlConfig, ControlError, Response};
use super::counters::{Counter, Counters};
use super::limited::LimitKinds;
use super::record::{CommandRecord, Fallback, Measured, TickInput, TickRecord};
use super::safety::{Limited, Safety};
use super::schedule::{Arrival, Schedule, ScheduleConfig};
use crate::clock::Period;

/// Ticks in a row that the robot must stand elsewhere than commanded before a hold follows it: one
/// reading could be an error.
const DISPLACED_TICKS: u32 = 2;

/// See the module.
#[derive(Debug)]
pub struct Controller {
    config: ControlConfig,
    actions: ActionInterface,
    period: Period,
    schedule: Schedule,
    servo: TcpServo,
    safety: Safety,
    counters: Counters,
    /// Whether `safety` knows where the robot is.
    anchored: bool,
    /// Where the robot was when last heard of in time.
    posture: Joints,
    /// No chunk of the goal in force has been executed yet.
    goal_is_new: bool,
    /// The last tick executed no action, so the servo is behind.
    interrupted: bool,
    /// A chunk with a number that is not finite came, and no good one since.
    poisoned: bool,
    /// Ticks held in a row, for the same reason.
    held: u64,
    /// Ticks in a row that the robot stood elsewhere than commanded.
    displaced: u32,
    /// The robot was put elsewhere, and not heard of since this stamp.
    relocated: Option<Stamp>,
    last: Option<TickRecord>,
}

impl Controller {
    /// A controller that waits for joints and a goal.
    ///
    /// # Errors
    /// If the configuration makes no sense or the policy's actions do not fit the robot.
    pub fn new(
        robot: Robot,
        actions: ActionInterface,
        config: ControlConfig,
    ) -> Result<Self, ControlError> {
        config.check()?;
        actions.check(robot.name(), robot.dof())?;
        let period = config.period()?;
        let robot = Arc::new(robot);
        Ok(Self {
            schedule: Schedule::new(ScheduleConfig {
                blend: config.blend,
                gripper: config.gripper,
                slots: config.slots,
                space: actions.space,
                dim: actions.dim,
            }),
            safety: Safety::new(Arc::clone(&robot), &config.safety, period),
            servo: TcpServo::with_period(robot, period.span().duration()),
            counters: Counters::default(),
            posture: [0.0; MAX_DOF],
            anchored: false,
            goal_is_new: true,
            interrupted: false,
            poisoned: false,
            held: 0,
            displaced: 0,
            relocated: None,
            last: None,
            config,
            actions,
            period,
        })
    }

    /// A second controller like this one, for [`Controller::rehearse`]. Takes memory.
    pub fn rehearsal(&self) -> Self {
        Self {
            config: self.config.clone(),
            schedule: self.schedule.another(),
            // The same robot in memory, not an equal one: the caches are to hold the one that counts.
            servo: self.servo.clone(),
            safety: self.safety.clone(),
            ..*self
        }
    }

    /// Takes up `chunk` and runs the tick that `real` will run with `input`, in this second
    /// controller; `real` is only read. Its use is in the processor's caches: after a period of sleep they hold other things,
    /// and the tick itself would pay for that.
    pub fn rehearse(
        &mut self,
        real: &Self,
        chunk: Option<&FixedChunk>,
        input: &TickInput,
    ) -> TickRecord {
        self.schedule.mirror(&real.schedule);
        self.servo.mirror(&real.servo);
        self.safety.mirror(&real.safety);
        self.counters = real.counters;
        self.anchored = real.anchored;
        self.posture = real.posture;
        self.goal_is_new = real.goal_is_new;
        self.interrupted = real.interrupted;
        self.poisoned = real.poisoned;
        self.held = real.held;
        self.displaced = real.displaced;
        self.relocated = real.relocated;
        self.last = real.last;
        self.set_goal(input.goal_id);
        if let Some(chunk) = chunk {
            self.offer(chunk, input.tick);
        }
        self.tick(input)
    }

    /// How it was configured.
    pub const fn config(&self) -> &ControlConfig {
        &self.config
    }
    /// Length of a tick.
    pub const fn period(&self) -> Period {
        self.period
    }
    /// The robot that is driven.
    pub fn robot(&self) -> &Robot {
        self.servo.robot()
    }
    /// What was counted so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
    /// Ticks from `now` on, this one included, that the chunks in force cover.
    pub fn remaining(&self, now: Tick) -> u64 {
        self.schedule.remaining(now)
    }
    /// Whether the last command was a standstill.
    pub fn at_rest(&self) -> bool {
        !self.knows_where() || self.safety.at_rest()
    }

    /// Takes the goal with this id; 0 for none. A new id drops all chunks, and motion begins anew
    /// from the measured joints. [`Controller::tick`] does this too; it is separate for a caller
    /// that has chunks of the new goal to offer before the tick.
    pub fn set_goal(&mut self, goal_id: u64) {
        if self.schedule.set_goal(goal_id, &mut self.counters) {
            self.goal_is_new = true;
            self.poisoned = false;
            if goal_id != 0 {
                self.counters.count(Counter::Goals);
            }
        }
    }

    /// Takes up a chunk at tick `now`, or drops and counts it.
    pub fn offer(&mut self, chunk: &FixedChunk, now: Tick) -> Arrival {
        let arrival = self.schedule.insert(chunk, now, &mut self.counters);
        match arrival {
            Arrival::Accepted => self.poisoned = false,
            Arrival::NonFinite => self.poisoned = true,
            _ => {}
        }
        arrival
    }

    /// Runs one tick. The same tick again gives the same record again and moves nothing, so that a
    /// world which asks twice is answered twice.
    pub fn tick(&mut self, input: &TickInput) -> TickRecord {
        if let Some(last) = self.last
            && last.tick == input.tick
        {
            return last;
        }
        self.set_goal(input.goal_id);
        self.schedule.withdraw(input.withdrawn, &mut self.counters);
        self.schedule.expire(input.tick);
        self.anchor(input);

        let mut record = TickRecord {
            tick: input.tick,
            goal_id: input.goal_id,
            space: self.actions.space,
            state: self.state(input),
            ..TickRecord::default()
        };
        if self.knows_where() {
            let limited = self.act(input.tick, &mut record);
            record.limited |= limited.kinds;
            record.command = Some(CommandRecord {
                tick: input.tick,
                stamp: input
                    .measured
                    .map(|measured| measured.stamp)
                    .unwrap_or_default(),
                positions: limited.joints,
                velocities: limited.velocities,
            });
        }
        self.count(&record);
        self.last = Some(record);
        record
    }

    /// What the inputs say; [`Controller::act`] finds out whether there is an action.
    fn state(&self, input: &TickInput) -> RuntimeState {
        let timeouts = &self.config.timeouts;
        if input.stopping {
            RuntimeState::Stopping
        } else if !self.knows_where() {
            RuntimeState::Waiting
        } else if !input.peer_alive {
            RuntimeState::PeerLost
        } else if input.goal_id == 0 {
            RuntimeState::Waiting
        } else if input.joints_age > timeouts.joints()
            || input.observation_age > timeouts.observation()
        {
            RuntimeState::Stale
        } else if input.policy_fault || self.poisoned {
            RuntimeState::PolicyFault
        } else if input.inference_age > timeouts.inference() {
            RuntimeState::Watchdog
        } else {
            RuntimeState::Running
        }
    }

    /// Makes the command in force agree with where the robot is, where that is called for.
    fn anchor(&mut self, input: &TickInput) {
        if input.relocated.is_some() {
            self.relocated = input.relocated;
            self.schedule.clear();
        }
        let oldest = self.relocated;
        let usable = |measured: &Measured| {
            input.joints_age <= self.config.timeouts.joints()
                && oldest.is_none_or(|oldest| measured.stamp >= oldest)
                && measured.position.iter().all(|value| value.is_finite())
        };
        let Some(measured) = input.measured.filter(usable) else {
            return;
        };
        self.posture = measured.position;
        let elsewhere = self.is_elsewhere(&measured.position);
        self.displaced = if elsewhere {
            self.displaced.saturating_add(1)
        } else {
            0
        };
        let moved = self.is_at_hold() && self.displaced >= DISPLACED_TICKS;
        if !self.anchored || self.relocated.is_some() || moved {
            self.safety.reset(&measured.position);
            self.displaced = 0;
            self.relocated = None;
            if self.anchored {
                self.counters.count(Counter::Reanchored);
            }
            self.anchored = true;
            self.interrupted = true;
        }
    }

    /// Whether it is known where the robot is, so that it can be commanded.
    const fn knows_where(&self) -> bool {
        self.anchored && self.relocated.is_none()
    }

    /// Whether nothing moves the robot now, so that a command may follow it.
    const fn is_at_hold(&self) -> bool {
        self.interrupted || self.goal_is_new
    }

    /// Whether a joint of the arm is far from its command.
    fn is_elsewhere(&self, measured: &Joints) -> bool {
        let arm = self.robot().arm_dof();
        let commanded = self.safety.joints();
        measured
            .iter()
            .zip(&commanded)
            .take(arm)
            .any(|(measured, commanded)| (measured - commanded).abs() > self.config.displaced)
    }

    /// Executes the tick's action or falls back.
    fn act(&mut self, tick: Tick, record: &mut TickRecord) -> Limited {
        let response = self.config.responses.to(record.state);
        // Not sure where the robot is: one tick will tell.
        let unsettled = self.is_at_hold() && self.displaced > 0;
        if response == Response::Finish && !unsettled {
            if let Some(scheduled) = self.schedule.next(tick, &mut self.counters) {
                record.source = Some(scheduled.source);
                record.contributors = scheduled.contributors;
                record.splice_index = scheduled.splice.map(|splice| splice.index);
                record.splice_jump = scheduled.splice.and_then(|splice| splice.jump);
                record.action = scheduled.action;
                record.fallback = Fallback::None;
                return self.execute(&scheduled.action, record);
            }
            if record.state == RuntimeState::Running {
                record.state = RuntimeState::Starved;
            }
        } else if response == Response::Finish {
            record.state = RuntimeState::Waiting;
        }
        self.fall_back(record)
    }

    /// Holds, or retreats if that is the configured response and it has been held for long enough.
    fn fall_back(&mut self, record: &mut TickRecord) -> Limited {
        self.interrupted = true;
        let same = self.last.is_some_and(|last| last.state == record.state);
        self.held = if same { self.held.saturating_add(1) } else { 1 };
        let response = self.config.responses.to(record.state);
        let responses = &self.config.responses;
        if response == Response::Retreat && self.held > responses.retreat_after {
            record.fallback = Fallback::Retreat;
            let home = self.with_commanded_gripper(*self.robot().home());
            self.safety
                .approach(&home, self.config.responses.retreat_speed)
        } else {
            record.fallback = Fallback::Hold;
            self.safety.hold()
        }
    }

    fn execute(&mut self, action: &Action, record: &mut TickRecord) -> Limited {
        if self.goal_is_new {
            let posture = self.with_commanded_gripper(self.posture);
            self.servo.reset(&posture);
        } else if self.interrupted {
            // Motion goes on where the hold came to rest: no jump, and no sinking under a load.
            self.servo.reset(&self.safety.joints());
        }
        self.goal_is_new = false;
        self.interrupted = false;
        if !action.iter().all(|number| number.is_finite()) {
            // Chunks are checked on arrival, yet a blend of huge numbers can overflow.
            self.interrupted = true;
            record.fallback = Fallback::Hold;
            return self.safety.limit(&[f64::NAN; MAX_DOF]);
        }
        let numbers = action.map(f64::from);
        match self.actions.space {
            ActionSpace::JointPosition => self.safety.limit(&numbers),
            ActionSpace::TcpDelta => {
                let [x, y, z, rx, ry, rz, gripper, _] = numbers;
                let step = self.servo.advance(
                    DVec3::new(x, y, z) * self.actions.translation_scale,
                    DVec3::new(rx, ry, rz) * self.actions.rotation_scale,
                    gripper > 0.0,
                );
                if step.clamped {
                    record.limited |= LimitKinds::WORKSPACE;
                }
                if !step.reached {
                    self.counters.count(Counter::Unreached);
                }
                let limited = self.safety.limit(&step.joints);
                self.relax(&step.joints, &limited.joints);
                limited
            }
        }
    }

    /// `joints` with the gripper as commanded: what is held stays held.
    fn with_commanded_gripper(&self, mut joints: Joints) -> Joints {
        let gripper = self.robot().arm_dof();
        if let (Some(to), Some(from)) = (joints.get_mut(gripper), self.safety.joints().get(gripper))
        {
            *to = *from;
        }
        joints
    }

    /// Takes the servo's target back to the command if the limits keep it far behind.
    fn relax(&mut self, target: &Joints, command: &Joints) {
        let arm = self.robot().arm_dof();
        let lag = target
            .iter()
            .zip(command)
            .take(arm)
            .fold(0.0_f64, |most, (target, command)| {
                most.max((target - command).abs())
            });
        if lag > self.config.lag {
            self.servo.reset(command);
            self.counters.count(Counter::Relaxed);
        }
    }

    fn count(&mut self, record: &TickRecord) {
        let counters = &mut self.counters;
        counters.count(Counter::Ticks);
        match record.fallback {
            Fallback::None => {
                counters.count(Counter::Executed);
                if record.contributors > 1 {
                    counters.count(Counter::Blended);
                }
            }
            Fallback::Hold => counters.count(Counter::Held),
            Fallback::Retreat => counters.count(Counter::Retreating),
            Fallback::Silent => {}
        }
        match record.state {
            RuntimeState::Starved if !self.goal_is_new => counters.count(Counter::Starved),
            RuntimeState::Starved => counters.count(Counter::FirstChunkWait),
            RuntimeState::Stale => counters.count(Counter::Stale),
            RuntimeState::PeerLost => counters.count(Counter::PeerLost),
            RuntimeState::PolicyFault => counters.count(Counter::PolicyFault),
            RuntimeState::Watchdog => counters.count(Counter::Watchdog),
            RuntimeState::Waiting | RuntimeState::Running | RuntimeState::Stopping => {}
        }
        if !record.limited.is_empty() {
            counters.count(Counter::Limited);
        }
        for (kind, counter) in [
            (LimitKinds::POSITION, Counter::LimitedPosition),
            (LimitKinds::VELOCITY, Counter::LimitedVelocity),
            (LimitKinds::ACCELERATION, Counter::LimitedAcceleration),
            (LimitKinds::WORKSPACE, Counter::LimitedWorkspace),
            (LimitKinds::NON_FINITE, Counter::LimitedNonFinite),
        ] {
            if record.limited.contains(kind) {
                counters.count(counter);
            }
        }
    }
}

#[cfg(test)]
mod tests;
