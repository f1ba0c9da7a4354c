#![allow(clippy::unwrap_used)]

use cerebellum_messages::{ActionChunk, Stamp};
use proptest::prelude::*;

use super::*;
use crate::clock::Span;
use crate::control::{Responses, Timeouts};

/// A controller together with a robot that does what it is told.
struct Bench {
    controller: Controller,
    joints: Joints,
    tick: u64,
    goal: u64,
}

impl Bench {
    fn new(config: ControlConfig) -> Self {
        let robot = Robot::tabletop().unwrap();
        let actions = ActionInterface {
            space: ActionSpace::TcpDelta,
            dim: 7,
            translation_scale: 0.02,
            rotation_scale: 0.1,
        };
        Self {
            joints: *robot.home(),
            controller: Controller::new(robot, actions, config).unwrap(),
            tick: 0,
            goal: 1,
        }
    }

    fn chunk(&self, action: [f32; 7], horizon: usize) -> FixedChunk {
        FixedChunk::try_from(&ActionChunk {
            stamp: Stamp(self.tick as i64),
            observed: Tick(self.tick),
            goal_id: self.goal,
            generation: 5,
            denoise_steps: 9,
            space: ActionSpace::TcpDelta,
            action_dim: 7,
            actions: action.repeat(horizon),
        })
        .unwrap()
    }

    /// Offers a chunk of equal actions, beginning with the coming tick.
    fn plan(&mut self, action: [f32; 7], horizon: usize) -> Arrival {
        let chunk = self.chunk(action, horizon);
        self.controller.set_goal(self.goal);
        self.controller.offer(&chunk, Tick(self.tick))
    }

    fn run(&mut self, change: impl FnOnce(&mut TickInput)) -> TickRecord {
        let measured = Measured {
            stamp: Stamp(self.tick as i64),
            position: self.joints,
        };
        let mut input = TickInput::fresh(Tick(self.tick), measured, self.goal);
        change(&mut input);
        let record = self.controller.tick(&input);
        if let Some(command) = record.command {
            self.joints = command.positions;
        }
        self.tick += 1;
        record
    }

    fn count(&self, counter: Counter) -> u64 {
        self.controller.counters().get(counter)
    }
    fn tool(&self) -> DVec3 {
        self.controller.robot().forward(&self.joints).position
    }
}

const UP: [f32; 7] = [0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0];

#[test]
fn tool_motions_are_executed_in_metres() {
    let mut bench = Bench::new(ControlConfig::default());
    let before = bench.tool();
    bench.plan(UP, 8);
    for _ in 0..8 {
        let record = bench.run(|_| {});
        assert_eq!(record.state, RuntimeState::Running);
        assert_eq!(record.fallback, Fallback::None);
        let source = record.source.unwrap();
        assert_eq!(
            (source.generation, source.denoise_steps, source.goal_id),
            (5, 9, 1)
        );
    }
    // The limits may have kept it back; a hold brakes, so compare with room.
    let risen = bench.tool() - before;
    assert!((0.05..0.085).contains(&risen.z), "8 ticks of 1 cm: {risen}");
    assert!(risen.x.abs() < 0.01 && risen.y.abs() < 0.01);
    assert_eq!(bench.run(|_| {}).state, RuntimeState::Starved);
    assert_eq!(bench.count(Counter::Starved), 1);
}

#[test]
fn joint_positions_are_executed_directly() {
    let robot = Robot::tabletop().unwrap();
    let home = *robot.home();
    let actions = ActionInterface {
        space: ActionSpace::JointPosition,
        dim: 8,
        translation_scale: 0.0,
        rotation_scale: 0.0,
    };
    let mut controller = Controller::new(robot, actions, ControlConfig::default()).unwrap();
    let mut target = home.map(|value| value as f32);
    target[0] += 0.1;
    let measured = Measured {
        stamp: Stamp(0),
        position: home,
    };
    controller.set_goal(1);
    let chunk = FixedChunk::try_from(&ActionChunk {
        stamp: Stamp(0),
        observed: Tick(0),
        goal_id: 1,
        generation: 0,
        denoise_steps: 0,
        space: ActionSpace::JointPosition,
        action_dim: 8,
        actions: target.repeat(60),
    });
    controller.offer(&chunk.unwrap(), Tick(0));
    let mut last = home;
    for tick in 0..60 {
        let record = controller.tick(&TickInput::fresh(Tick(tick), measured, 1));
        last = record.command.unwrap().positions;
    }
    for (joint, target) in last.iter().zip(target) {
        assert!((joint - f64::from(target)).abs() < 1e-6);
    }
}

#[test]
fn before_the_first_joints_there_is_silence() {
    let mut bench = Bench::new(ControlConfig::default());
    let record = bench.run(|input| input.measured = None);
    assert_eq!(
        (record.state, record.fallback),
        (RuntimeState::Waiting, Fallback::Silent)
    );
    assert_eq!(record.command, None);
    let broken = bench.run(|input| {
        if let Some(measured) = &mut input.measured {
            measured.position[2] = f64::NAN;
        }
    });
    assert_eq!(broken.command, None);
    assert!(bench.run(|_| {}).command.is_some());
}

/// Each failure, how to inject it, and the state it must lead to.
type Failure = (fn(&mut TickInput), RuntimeState, Counter);

const FAILURES: [Failure; 5] = [
    (
        |input| input.joints_age = Span::from_millis(10_000),
        RuntimeState::Stale,
        Counter::Stale,
    ),
    (
        |input| input.observation_age = Span::from_millis(10_000),
        RuntimeState::Stale,
        Counter::Stale,
    ),
    (
        |input| input.peer_alive = false,
        RuntimeState::PeerLost,
        Counter::PeerLost,
    ),
    (
        |input| input.policy_fault = true,
        RuntimeState::PolicyFault,
        Counter::PolicyFault,
    ),
    (
        |input| input.inference_age = Span::from_millis(10_000),
        RuntimeState::Watchdog,
        Counter::Watchdog,
    ),
];

#[test]
fn every_failure_holds_and_motion_resumes_without_a_jump() {
    for (inject, state, counter) in FAILURES {
        let mut bench = Bench::new(ControlConfig::default());
        bench.plan(UP, 40);
        for _ in 0..5 {
            bench.run(|_| {});
        }
        let mut still = 0;
        for _ in 0..20 {
            let record = bench.run(inject);
            assert_eq!((record.state, record.fallback), (state, Fallback::Hold));
            assert_eq!(record.source, None);
            still += u32::from(record.command.unwrap().velocities == [0.0; MAX_DOF]);
        }
        assert!(still > 10, "{state:?}: the robot must come to rest");
        assert_eq!(bench.count(counter), 20);

        let before = bench.tool();
        let record = bench.run(|_| {});
        assert_eq!(record.state, RuntimeState::Running);
        let step = bench.tool() - before;
        assert!(step.length() < 0.0101, "{state:?}: a jump of {step}");
    }
}

#[test]
fn a_failure_can_be_configured_to_finish_the_chunk() {
    let mut bench = Bench::new(ControlConfig {
        responses: Responses {
            stale: Response::Finish,
            ..Responses::default()
        },
        ..ControlConfig::default()
    });
    bench.plan(UP, 10);
    let stale = |input: &mut TickInput| input.observation_age = Span::from_millis(10_000);
    for _ in 0..10 {
        let record = bench.run(stale);
        assert_eq!(
            (record.state, record.fallback),
            (RuntimeState::Stale, Fallback::None)
        );
    }
    let record = bench.run(stale);
    assert_eq!(
        (record.state, record.fallback),
        (RuntimeState::Stale, Fallback::Hold)
    );
}

#[test]
fn a_retreat_goes_home_slowly_and_keeps_the_grip() {
    let mut bench = Bench::new(ControlConfig {
        responses: Responses {
            starved: Response::Retreat,
            retreat_after: 5,
            ..Responses::default()
        },
        ..ControlConfig::default()
    });
    let mut close = UP;
    close[6] = -1.0;
    bench.plan(close, 30);
    for _ in 0..30 {
        bench.run(|_| {});
    }
    let gripper = bench.controller.robot().arm_dof();
    let grip = bench.joints[gripper];
    let home = *bench.controller.robot().home();
    for _ in 0..5 {
        assert_eq!(bench.run(|_| {}).fallback, Fallback::Hold);
    }
    for _ in 0..600 {
        assert_eq!(bench.run(|_| {}).fallback, Fallback::Retreat);
    }
    for (joint, home) in bench.joints.iter().zip(home).take(gripper) {
        assert!((joint - home).abs() < 1e-3);
    }
    assert!((bench.joints[gripper] - grip).abs() < 0.01);
    assert_eq!(bench.count(Counter::Retreating), 600);
}

#[test]
fn a_chunk_that_is_not_finite_is_a_fault_until_a_good_one_comes() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.plan(UP, 30);
    bench.run(|_| {});
    let mut bad = UP;
    bad[1] = f32::NAN;
    assert_eq!(bench.plan(bad, 30), Arrival::NonFinite);
    let record = bench.run(|_| {});
    assert_eq!(
        (record.state, record.fallback),
        (RuntimeState::PolicyFault, Fallback::Hold)
    );
    bench.plan(UP, 30);
    assert_eq!(bench.run(|_| {}).state, RuntimeState::Running);
}

#[test]
fn a_new_goal_drops_the_old_chunks_and_begins_where_the_robot_is() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.plan(UP, 40);
    for _ in 0..5 {
        bench.run(|_| {});
    }
    bench.goal = 2;
    let record = bench.run(|_| {});
    assert_eq!(record.state, RuntimeState::Starved);
    assert_eq!(bench.count(Counter::ChunksOtherGoal), 1);
    assert_eq!(bench.count(Counter::FirstChunkWait), 1);
    // The arm sags under its load while it waits.
    for _ in 0..20 {
        bench.run(|_| {});
    }
    let sag = 0.01;
    bench.joints[1] += sag;
    let sagging = bench.joints;
    bench.plan([0.0; 7], 40);
    for _ in 0..30 {
        let measured = sagging;
        bench.run(|input| {
            if let Some(newest) = &mut input.measured {
                newest.position = measured;
            }
        });
    }
    assert!(
        (bench.joints[1] - sagging[1]).abs() < 1e-3,
        "the target is the measured pose"
    );
    assert_eq!(bench.count(Counter::Reanchored), 0);
}

#[test]
fn a_robot_that_was_moved_is_followed_after_two_readings() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.goal = 0;
    for _ in 0..5 {
        bench.run(|_| {});
    }
    let held = bench.joints;
    let mut moved = held;
    moved[0] += 0.5;
    let at = |position: Joints| {
        move |input: &mut TickInput| {
            if let Some(measured) = &mut input.measured {
                measured.position = position;
            }
        }
    };
    // A single wrong reading changes nothing.
    assert_eq!(bench.run(at(moved)).command.unwrap().positions, held);
    assert_eq!(bench.run(at(held)).command.unwrap().positions, held);
    assert_eq!(bench.run(at(moved)).command.unwrap().positions, held);
    assert_eq!(bench.run(at(moved)).command.unwrap().positions, moved);
    assert_eq!(bench.count(Counter::Reanchored), 1);
}

#[test]
fn after_a_known_move_there_is_silence_until_the_robot_is_heard_of() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.plan(UP, 40);
    bench.run(|_| {});
    let commanded = bench.joints;
    let mut elsewhere = commanded;
    elsewhere[0] -= 0.7;
    let at = |stamp: i64, position: Joints| {
        move |input: &mut TickInput| {
            input.measured = Some(Measured {
                stamp: Stamp(stamp),
                position,
            });
        }
    };
    // The joint state that arrives first was on its way before the move.
    let record = bench.run(|input| {
        at(99, commanded)(input);
        input.relocated = Some(Stamp(100));
    });
    assert_eq!((record.command, record.fallback), (None, Fallback::Silent));
    let record = bench.run(at(100, elsewhere));
    assert_eq!(record.command.unwrap().positions, elsewhere);
    assert_eq!(
        record.state,
        RuntimeState::Starved,
        "chunks from before are void"
    );
}

#[test]
fn a_withdrawn_generation_stops_at_once() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.plan(UP, 40);
    assert_eq!(bench.run(|_| {}).state, RuntimeState::Running);
    let record = bench.run(|input| input.withdrawn = Some(5));
    assert_eq!(record.state, RuntimeState::Starved);
}

#[test]
fn the_same_tick_is_answered_the_same() {
    let mut bench = Bench::new(ControlConfig::default());
    bench.plan(UP, 40);
    let first = bench.run(|_| {});
    bench.tick -= 1;
    assert_eq!(bench.run(|_| {}), first);
    assert_eq!(bench.count(Counter::Ticks), 1);
}

#[test]
fn a_target_that_runs_away_is_taken_back() {
    let mut config = ControlConfig {
        lag: 0.02,
        ..ControlConfig::default()
    };
    config.safety.velocity_share = 0.05;
    let mut bench = Bench::new(config);
    bench.plan(UP, 30);
    for _ in 0..30 {
        bench.run(|_| {});
    }
    assert!(bench.count(Counter::Relaxed) > 0);
    let before = bench.tool();
    for _ in 0..60 {
        bench.run(|_| {});
    }
    assert!(
        (bench.tool() - before).length() < 0.01,
        "nothing is made up for later"
    );
}

#[test]
fn stopping_comes_to_rest() {
    let mut bench = Bench::new(ControlConfig {
        timeouts: Timeouts::default(),
        ..ControlConfig::default()
    });
    bench.plan(UP, 64);
    for _ in 0..5 {
        bench.run(|_| {});
    }
    assert!(!bench.controller.at_rest());
    let mut ticks = 0;
    while !bench.controller.at_rest() {
        assert_eq!(
            bench.run(|input| input.stopping = true).state,
            RuntimeState::Stopping
        );
        ticks += 1;
        assert!(ticks < 40);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever a policy plans and whatever fails, every command is finite and within the limits,
    /// and equal inputs give equal commands.
    #[test]
    fn commands_are_always_within_limits_and_repeatable(
        events in prop::collection::vec(
            (prop::array::uniform7(prop_oneof![
                6 => -3.0f32..3.0,
                1 => any::<f32>(),
                1 => Just(f32::NAN),
            ]), 0usize..12, 1usize..64, 0u64..4),
            1..60,
        ),
    ) {
        let mut bench = Bench::new(ControlConfig::default());
        let mut twin = Bench::new(ControlConfig::default());
        let limits = bench.controller.robot().limits().to_vec();
        let mut last = bench.joints;
        for (action, event, horizon, goal) in events {
            for bench in [&mut bench, &mut twin] {
                if event > 6 {
                    bench.goal = goal;
                }
                bench.plan(action, horizon);
            }
            for tick in 0..4 {
                let change = |input: &mut TickInput| {
                    if let Some((inject, ..)) = FAILURES.get(event).filter(|_| tick < 2) {
                        inject(input);
                    }
                };
                let record = bench.run(change);
                prop_assert_eq!(record, twin.run(change));
                let Some(command) = record.command else { continue };
                for (index, limits) in limits.iter().enumerate() {
                    let now = command.positions[index];
                    prop_assert!(now >= limits.lower && now <= limits.upper);
                    let speed = (now - last[index]).abs() / 0.05;
                    prop_assert!(speed <= limits.velocity * (1.0 + 1e-9) + 1e-9);
                }
                last = command.positions;
            }
        }
    }
}

/// What is rehearsed is what then happens, whatever happens; so every part of the state is taken
/// over, and none of it is touched.
#[test]
fn a_rehearsal_is_the_tick_without_its_effect() {
    let config = ControlConfig {
        responses: Responses {
            starved: Response::Retreat,
            retreat_after: 2,
            ..Responses::default()
        },
        ..ControlConfig::default()
    };
    let mut bench = Bench::new(config);
    let mut rehearsal = bench.controller.rehearsal();
    for tick in 0_u64..400 {
        bench.tick = tick;
        bench.goal = 1 + tick / 90;
        let mut arriving = None;
        if tick % 50 <= 35 && tick.is_multiple_of(3) {
            let way = if (tick / 20).is_multiple_of(2) {
                0.9
            } else {
                -3.0
            };
            arriving = Some(bench.chunk([way, 0.2, -way, 0.3, 0.0, way, way], 7));
        }
        let measured = Measured {
            stamp: Stamp(tick as i64),
            position: bench.joints,
        };
        let mut input = TickInput::fresh(Tick(tick), measured, bench.goal);
        input.peer_alive = !tick.is_multiple_of(41);
        input.policy_fault = tick.is_multiple_of(43);
        input.withdrawn = (tick % 60 > 55).then_some(5);
        let rehearsed = rehearsal.rehearse(&bench.controller, arriving.as_ref(), &input);
        let again = rehearsal.rehearse(&bench.controller, arriving.as_ref(), &input);
        bench.controller.set_goal(bench.goal);
        if let Some(chunk) = &arriving {
            bench.controller.offer(chunk, Tick(tick));
        }
        let record = bench.controller.tick(&input);
        assert_eq!(rehearsed, record, "tick {tick}");
        assert_eq!(again, record, "tick {tick}");
        assert_eq!(rehearsal.counters(), bench.controller.counters());
        if let Some(command) = record.command {
            bench.joints = command.positions;
        }
    }
    assert!(bench.count(Counter::Executed) > 100 && bench.count(Counter::Retreating) > 0);
}
