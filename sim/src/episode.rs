//! One attempt at one task.

use std::collections::VecDeque;

use cerebellum_kinematics::{InverseConfig, Joints, MAX_DOF, Pose, Robot};
use cerebellum_messages::{JointState, Observation, Stamp, TcpPose, Tick};
use glam::{DQuat, DVec3};
use rand_chacha::ChaCha8Rng;
use rapier3d::math::Vector;

use crate::expert::{Hand, Wish, facing};
use crate::physics::{CONTROL_PERIOD_NANOS, Part, StateHash, World};
use crate::random::{Stream, between, chance, generator};
use crate::render::{Geometry, Material, Scene, Texture};
use crate::sensors::Encoders;
use crate::shift::PhysicsShift;
use crate::task::{Activity, Progress, Stage};
use crate::view::Cameras;
use crate::{CameraConfig, Knob, Shift, SimError, Split, Task, Thing};

/// What an episode is made of. Equal configurations give equal episodes, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeConfig {
    /// What is to be done.
    pub task: Task,
    /// Where the seed comes from.
    pub split: Split,
    /// Draws the layout, the colors, the wording and the strengths of the knobs.
    pub seed: u64,
    /// Domain shift.
    pub shift: Shift,
    /// Cameras to take pictures with; none for joints only.
    pub cameras: Vec<CameraConfig>,
    /// Whether a tracking system reports the thing that the task is about: [`crate::Thing`], behind
    /// the robot's joints.
    pub tracked: bool,
    /// World time of the first tick.
    pub start: Stamp,
}

impl EpisodeConfig {
    /// A nominal episode with both cameras at 96 x 96 pixels.
    pub fn new(task: Task, split: Split, seed: u64) -> Self {
        Self {
            task,
            split,
            seed,
            shift: Shift::NONE,
            cameras: CameraConfig::both(96).to_vec(),
            tracked: false,
            start: Stamp::default(),
        }
    }

    /// The same episode with a tracking system.
    #[must_use]
    pub fn tracked(mut self) -> Self {
        self.tracked = true;
        self
    }

    /// The same episode without cameras.
    #[must_use]
    pub fn blind(mut self) -> Self {
        self.cameras.clear();
        self
    }
}

/// How an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It goes on.
    Running,
    /// The task was achieved.
    Succeeded,
    /// Time ran out.
    TimedOut,
    /// Something was done that excludes success, such as pressing the wrong button.
    Spoiled,
}

impl Outcome {
    /// Whether the episode is over.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Running)
    }

    /// One line for a person.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "achieved",
            Self::TimedOut => "time ran out",
            Self::Spoiled => "did what was not asked for",
        }
    }
}

/// A world with a task in it.
pub struct Episode {
    config: EpisodeConfig,
    robot: Robot,
    world: World,
    activity: Box<dyn Activity>,
    instruction: String,
    cameras: Cameras,
    encoders: Encoders,
    reading: Joints,
    /// Commands on their way to the arm, oldest first.
    pending: VecDeque<Joints>,
    /// The command that was given last.
    requested: Joints,
    latency: usize,
    dropped: f64,
    drops: ChaCha8Rng,
    tick: u64,
    achieved: u32,
    outcome: Outcome,
    /// Whether success, mistakes and time are looked at.
    judged: bool,
}

impl Episode {
    /// Sets up an episode with the built-in robot.
    ///
    /// # Errors
    /// See [`Episode::with_robot`].
    pub fn new(config: &EpisodeConfig) -> Result<Self, SimError> {
        Self::with_robot(config, Robot::tabletop()?)
    }

    /// Sets up an episode that never ends: its task is not looked at.
    ///
    /// # Errors
    /// See [`Episode::with_robot`].
    pub fn endless(config: &EpisodeConfig) -> Result<Self, SimError> {
        Ok(Self {
            judged: false,
            ..Self::new(config)?
        })
    }

    /// Sets up an episode.
    ///
    /// # Errors
    /// The physics engine refuses a joint of the robot.
    pub fn with_robot(config: &EpisodeConfig, robot: Robot) -> Result<Self, SimError> {
        let stream = |stream| generator(config.task, config.split, config.seed, stream);
        let shift = &config.shift;
        let force = robot.gripper_force() as f32;
        let physics = PhysicsShift::draw(shift, force, &mut stream(Stream::Physics));
        let mut layout = stream(Stream::Layout);
        let mut looks = stream(Stream::Looks);
        let mut words = stream(Stream::Words);
        let home = start_posture(&robot, &mut layout);
        let mut world = World::new(&robot, &home, physics.settings)?;
        let mut stage = Stage {
            world: &mut world,
            layout: &mut layout,
            looks: &mut looks,
            words: &mut words,
            unheard: shift.level(Knob::Wording) > 0,
            color_level: shift.level(Knob::Colors),
            texture_level: shift.level(Knob::Textures),
            distractor_level: shift.level(Knob::Distractors),
            taken: Vec::new(),
            instruction: String::new(),
        };
        furnish(&mut stage);
        let activity = config.task.set_up(&mut stage)?;
        let instruction = std::mem::take(&mut stage.instruction);
        let cameras = Cameras::new(
            &config.cameras,
            shift,
            &mut stream(Stream::Cameras),
            &mut stream(Stream::Pictures),
        );
        let mut episode = Self {
            encoders: Encoders::new(&robot, shift, stream(Stream::Encoders)),
            config: config.clone(),
            robot,
            world,
            activity,
            instruction,
            cameras,
            reading: home,
            pending: VecDeque::new(),
            requested: home,
            latency: physics.action_latency,
            dropped: physics.dropped,
            drops: stream(Stream::Drops),
            tick: 0,
            achieved: 0,
            outcome: Outcome::Running,
            judged: true,
        };
        // Things settle on the table before the clock starts.
        for _ in 0..SETTLING_TICKS {
            episode.world.tick(&home);
        }
        episode.sense();
        Ok(episode)
    }

    /// What the episode is made of.
    pub fn config(&self) -> &EpisodeConfig {
        &self.config
    }
    /// The robot.
    pub fn robot(&self) -> &Robot {
        &self.robot
    }
    /// What a person would say.
    pub fn instruction(&self) -> &str {
        &self.instruction
    }
    /// How the episode stands.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
    /// Ticks since the beginning.
    pub fn ticks(&self) -> u64 {
        self.tick
    }
    /// World time.
    pub fn stamp(&self) -> Stamp {
        let passed = i64::try_from(self.tick).unwrap_or(i64::MAX);
        let passed = passed.saturating_mul(CONTROL_PERIOD_NANOS);
        Stamp(self.config.start.0.saturating_add(passed))
    }
    /// The joints that were commanded last, or the posture at the start. A servo begins here.
    pub fn commanded(&self) -> &Joints {
        &self.requested
    }
    /// True pose of the tool centre point, without errors of encoders.
    pub fn tool(&self) -> Pose {
        self.world.tool()
    }
    /// Digest of the state of the world.
    pub fn state_hash(&self) -> StateHash {
        self.world.hash()
    }
    /// What there is to be seen.
    pub fn scene(&self) -> Scene {
        self.cameras.scene(&self.world)
    }

    /// Joints as the encoders read them at this tick.
    pub fn joint_state(&self) -> JointState {
        self.encoders
            .message(&self.reading, &self.world.arm(), self.stamp())
    }

    /// True state of the things that the task is about, [`crate::WORLD_DIM`] numbers: what is handled
    /// (position (3) and two columns of its rotation matrix (6)), where it should get (3), the ways
    /// from the tool to it (3) and from it to there (3), cosine and sine of the turn that it should
    /// have (2).
    pub fn world_state(&self) -> Vec<f32> {
        self.activity.things(&self.world).vector(&self.hand())
    }

    /// The thing that the task is about.
    pub fn thing(&self) -> Thing {
        self.activity.thing(&self.world)
    }

    /// What the robot senses at this tick: joints, the tool's pose by them, and a picture per
    /// configured camera.
    ///
    /// # Errors
    /// A camera cannot make pictures as configured.
    pub fn observe(&mut self) -> Result<Observation, SimError> {
        let stamp = self.stamp();
        let frames = self.cameras.shoot(&self.world, self.tick, stamp)?;
        let tool = self.robot.forward(&self.reading);
        let mut joints = self.joint_state();
        if self.config.tracked {
            joints.names.extend(Thing::NAMES.map(String::from));
            joints.position.extend(self.thing().values());
            joints.velocity.clear();
        }
        Ok(Observation {
            tick: Tick(self.tick),
            stamp,
            frames,
            joints,
            world: self.world_state(),
            tcp: Some(TcpPose {
                position: tool.position.to_array(),
                orientation: tool.orientation.to_array(),
            }),
        })
    }

    /// Lets one control tick pass under joint targets: positions (rad) and the gripper's width
    /// (m). Targets beyond the limits are cut; one that is not finite leaves that joint where it
    /// was told to be before. Does nothing once the episode is over.
    ///
    /// # Errors
    /// The physics diverged.
    pub fn step(&mut self, targets: &Joints) -> Result<Outcome, SimError> {
        if self.outcome.is_over() {
            return Ok(self.outcome);
        }
        let mut wanted = *targets;
        for (value, last) in wanted.iter_mut().zip(&self.requested) {
            if !value.is_finite() {
                *value = *last;
            }
        }
        self.requested = self.robot.clamp(&wanted);
        self.pending.push_back(self.requested);
        let mut command = *self.world.targets();
        if self.pending.len() > self.latency
            && let Some(arrived) = self.pending.pop_front()
        {
            let lost = self.dropped > 0.0 && chance(&mut self.drops, self.dropped);
            if !lost {
                command = arrived;
            }
        }
        self.world.tick(&command);
        self.tick += 1;
        if !self.world.is_finite() {
            return Err(SimError::Diverged { tick: self.tick });
        }
        self.sense();
        self.judge();
        Ok(self.outcome)
    }

    fn sense(&mut self) {
        self.reading = self.encoders.read(&self.world.arm());
        self.cameras.remember(&self.world);
    }

    fn judge(&mut self) {
        if !self.judged {
            return;
        }
        match self.activity.progress(&self.world, &self.hand()) {
            Progress::Spoiled => self.outcome = Outcome::Spoiled,
            Progress::Achieved => self.achieved += 1,
            Progress::Open => self.achieved = 0,
        }
        if self.outcome.is_over() {
            return;
        }
        if self.achieved >= self.activity.hold() {
            self.outcome = Outcome::Succeeded;
        } else if self.tick >= self.config.task.time_limit() {
            self.outcome = Outcome::TimedOut;
        }
    }

    /// The hand as experts see it.
    pub(crate) fn hand(&self) -> Hand {
        let arm = self.world.arm();
        Hand {
            commanded: self.robot.forward(&self.requested),
            measured: self.world.tool(),
            width: arm
                .position
                .get(self.robot.arm_dof())
                .copied()
                .unwrap_or(0.0),
        }
    }

    /// Where the expert wants the hand to be.
    pub(crate) fn guide(&self, hand: &Hand) -> Wish {
        self.activity.guide(&self.world, hand)
    }
}

/// Ticks before the beginning in which things come to rest.
const SETTLING_TICKS: u32 = 6;

/// The home posture, a little off.
fn start_posture(robot: &Robot, layout: &mut ChaCha8Rng) -> Joints {
    let home = robot.forward(robot.home());
    let mut off = |reach: f64| between(layout, -reach, reach);
    let position = home.position + DVec3::new(off(0.03), off(0.04), off(0.02));
    let target = Pose::new(position, facing(off(0.1)));
    let found = robot.inverse(&target, robot.home(), &InverseConfig::FAR);
    if found.reached {
        found.joints
    } else {
        *robot.home()
    }
}

/// Adds the table and the floor.
fn furnish(stage: &mut Stage<'_>) {
    let wood = Material::textured([0.64, 0.50, 0.36], Texture::Planks, 9.0);
    let wood = stage.dress(wood, 9.0);
    let tiles = Material::textured([0.34, 0.36, 0.38], Texture::Checker, 2.5);
    let tiles = stage.dress(tiles, 2.5);
    let table = Part::cuboid([0.60, 0.65, 0.02], wood).at(Vector::new(0.40, 0.0, -0.02));
    let floor = Part::new(Geometry::Plane, tiles).at(Vector::new(0.0, 0.0, -0.72));
    stage
        .world
        .add_fixed(&Pose::new(DVec3::ZERO, DQuat::IDENTITY), &[table, floor]);
}

const _: () = assert!(MAX_DOF == 8);
