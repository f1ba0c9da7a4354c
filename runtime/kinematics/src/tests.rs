//! Kinematics against arithmetic done by hand, finite differences and each other.
#![allow(clippy::unwrap_used, clippy::panic)]

use glam::{DQuat, DVec3};

use crate::{InverseConfig, Joints, MAX_DOF, Pose, Robot, TcpServo};

/// Numbers in [0, 1) that repeat on every machine.
fn noise(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

fn random_joints(robot: &Robot, state: &mut u64) -> Joints {
    let mut joints = [0.0; MAX_DOF];
    for (joint, limits) in joints.iter_mut().zip(robot.limits()) {
        *joint = limits.lower + noise(state) * (limits.upper - limits.lower);
    }
    joints
}

fn tool_down(position: DVec3, yaw: f64) -> Pose {
    Pose::new(
        position,
        DQuat::from_rotation_z(yaw) * DQuat::from_rotation_x(std::f64::consts::PI),
    )
}

#[test]
fn stretched_posture_by_hand() {
    let robot = Robot::tabletop().unwrap();
    let tool = robot.forward(&[0.0; MAX_DOF]);
    // All joints at zero: links add up along z, the wrist offset along x, the tool hangs down.
    let height = 0.333 + 0.316 + 0.384 - 0.2104;
    assert!((tool.position - DVec3::new(0.088, 0.0, height)).length() < 1e-12);
    assert!((tool.orientation * DVec3::Z - DVec3::NEG_Z).length() < 1e-12);
}

#[test]
fn bent_posture_by_hand() {
    let robot = Robot::tabletop().unwrap();
    let quarter = std::f64::consts::FRAC_PI_4;
    let tool = robot.forward(&[
        0.0,
        -quarter,
        0.0,
        -3.0 * quarter,
        0.0,
        2.0 * quarter,
        quarter,
        0.0,
    ]);
    // Shoulder back by 45 degrees, elbow bent by 135: the forearm is level, the tool hangs down.
    let s = std::f64::consts::FRAC_1_SQRT_2;
    let expected = DVec3::new(
        -0.316 * s + 0.0825 * s + 0.384 + 0.088,
        0.0,
        0.333 + 0.316 * s + 0.0825 * s + 0.0825 - 0.2104,
    );
    assert!(
        (tool.position - expected).length() < 1e-9,
        "{tool:?}, {expected}"
    );
    assert!((tool.orientation * DVec3::Z - DVec3::NEG_Z).length() < 1e-9);
    assert!((tool.orientation * DVec3::Y - DVec3::NEG_Y).length() < 1e-9);
}

#[test]
fn home_is_above_the_table_with_the_tool_down() {
    let robot = Robot::tabletop().unwrap();
    let tool = robot.forward(robot.home());
    assert!((tool.position - DVec3::new(0.44, 0.0, 0.26)).length() < 1e-9);
    assert!((tool.orientation * DVec3::Z - DVec3::NEG_Z).length() < 1e-9);
}

#[test]
fn jacobian_matches_finite_differences() {
    let robot = Robot::tabletop().unwrap();
    let mut state = 1;
    for _ in 0..50 {
        let joints = random_joints(&robot, &mut state);
        let (_, jacobian) = robot.jacobian(&joints);
        for (index, column) in jacobian.columns.iter().enumerate() {
            let h = 1e-6;
            let (mut low, mut high) = (joints, joints);
            low[index] -= h;
            high[index] += h;
            let (v, w) = robot.forward(&low).difference(&robot.forward(&high));
            let measured = [v.x, v.y, v.z, w.x, w.y, w.z];
            for (a, b) in column.iter().zip(measured) {
                assert!((a - b / (2.0 * h)).abs() < 1e-6);
            }
        }
    }
}

#[test]
fn inverse_reaches_the_whole_workspace() {
    let robot = Robot::tabletop().unwrap();
    let workspace = *robot.workspace();
    let mut state = 7;
    for _ in 0..300 {
        let share = DVec3::new(noise(&mut state), noise(&mut state), noise(&mut state));
        let position = workspace.min + share * (workspace.max - workspace.min);
        let yaw = (noise(&mut state) - 0.5) * std::f64::consts::PI;
        let target = tool_down(position, yaw);
        let found = robot.inverse(&target, robot.home(), &InverseConfig::FAR);
        assert!(found.reached, "{target:?}: {found:?}");
        let clamped = robot.clamp(&found.joints);
        assert_eq!(clamped, found.joints);
    }
}

#[test]
fn one_pose_one_posture() {
    let robot = Robot::tabletop().unwrap();
    let mut servo = TcpServo::new(robot.clone());
    let goal = tool_down(DVec3::new(0.55, -0.2, 0.1), 0.4);
    let direct = follow(&mut servo, &goal);
    // Another way round, over far corners.
    for corner in [[0.4, 0.3, 0.3], [0.66, 0.3, 0.05], [0.6, -0.3, 0.32]] {
        follow(&mut servo, &tool_down(DVec3::from_array(corner), -0.9));
    }
    let around = follow(&mut servo, &goal);
    for (a, b) in direct.iter().zip(&around) {
        assert!((a - b).abs() < 2e-3, "{direct:?} against {around:?}");
    }
}

fn follow(servo: &mut TcpServo, goal: &Pose) -> Joints {
    for _ in 0..200 {
        let (translation, rotation) = servo.target().difference(goal);
        if translation.length() < 1e-6 && rotation.length() < 1e-6 {
            break;
        }
        servo.advance(
            translation.clamp_length_max(0.02),
            rotation.clamp_length_max(0.1),
            true,
        );
    }
    let (translation, _) = servo.target().difference(goal);
    assert!(translation.length() < 1e-4, "stuck {translation}");
    *servo.joints()
}

#[test]
fn target_stays_in_reach_under_endless_pushing() {
    let robot = Robot::tabletop().unwrap();
    let mut state = 3;
    for _ in 0..20 {
        let mut servo = TcpServo::new(robot.clone());
        let push = DVec3::new(noise(&mut state), noise(&mut state), noise(&mut state)) - 0.5;
        let turn = DVec3::new(noise(&mut state), noise(&mut state), noise(&mut state)) - 0.5;
        let mut last = *servo.joints();
        for tick in 0..150 {
            let step = servo.advance(push.normalize() * 0.02, turn * 0.1, tick % 20 < 10);
            for ((now, before), limits) in step.joints.iter().zip(last).zip(robot.limits()) {
                assert!(*now >= limits.lower && *now <= limits.upper);
                assert!((now - before).abs() <= limits.velocity * 0.05 + 1e-12);
            }
            last = step.joints;
            let (distance, angle) = robot.forward(&step.joints).difference(&servo.target());
            assert!(distance.length() < 1e-3 && angle.length() < 5e-3);
        }
        let lean = (servo.target().orientation * DVec3::Z).angle_between(DVec3::NEG_Z);
        assert!(lean <= robot.workspace().tilt + 1e-6);
        // And it comes back at once, at full speed or, near a stretched posture, a part of it.
        let before = servo.target().position;
        servo.advance(-push * 0.01, DVec3::ZERO, true);
        let back = before - servo.target().position;
        assert!(back.dot(push) > 0.0, "{push}, {turn}: {:?}", servo.target());
    }
}

#[test]
fn nonsense_is_ignored() {
    let mut servo = TcpServo::new(Robot::tabletop().unwrap());
    let before = servo.target();
    let step = servo.advance(DVec3::NAN, DVec3::splat(f64::INFINITY), true);
    assert!(step.joints.iter().all(|value| value.is_finite()));
    let (moved, turned) = before.difference(&servo.target());
    assert!(moved.length() < 1e-9 && turned.length() < 1e-7);
    servo.reset(&[f64::NAN; MAX_DOF]);
    assert!(servo.target().is_finite());
}

#[test]
fn errors_name_file_key_expected_and_found() {
    let text = include_str!("../../../assets/robots/tabletop_arm.toml");
    let refused =
        |from: &str, to: &str| match Robot::from_toml(&text.replacen(from, to, 1), "x.toml") {
            Ok(_) => panic!("accepted {to}"),
            Err(error) => error.to_string(),
        };
    let message = refused("position = [-1.7628, 1.7628]", "position = [1.0, -1.0]");
    assert_eq!(
        message,
        "x.toml: joint[1].position: expected [lower, upper] with lower < upper, found [1.0, -1.0]"
    );
    let message = refused("velocity = 2.6", "velocity = \"fast\"");
    assert!(message.starts_with("x.toml:13:"), "{message}");
    assert!(
        message.contains("expected a float") || message.contains("expected f64"),
        "{message}"
    );
    let message = refused("velocity = 2.6", "speed = 2.6");
    assert!(message.contains("unknown field `speed`"), "{message}");
    let message = refused("name = \"joint2\"", "name = \"joint1\"");
    assert!(
        message.contains("joint[1].name: expected a name used once"),
        "{message}"
    );
    let message = refused("gripper = 0.08", "gripper = 0.2");
    assert!(message.contains("home.gripper"), "{message}");
    let missing = Robot::load(std::path::Path::new("/nowhere/robot.toml"));
    assert!(missing.is_err());
}
