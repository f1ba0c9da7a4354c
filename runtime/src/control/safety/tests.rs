#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::clock::Span;

const PERIOD: f64 = 0.05;

fn safety() -> Safety {
    let period = Period::from_span(Span::from_millis(50)).unwrap();
    Safety::new(Robot::tabletop().unwrap(), &SafetyConfig::default(), period)
}

#[test]
fn a_number_that_is_not_finite_becomes_a_hold() {
    let mut safety = safety();
    let home = safety.joints();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut target = home;
        target[3] = bad;
        let limited = safety.limit(&target);
        assert_eq!(limited.joints, home);
        assert!(limited.kinds.contains(LimitKinds::NON_FINITE));
    }
}

#[test]
fn a_hold_stops_within_the_acceleration_limits() {
    let mut safety = safety();
    let mut target = safety.joints();
    target[0] += 1.0;
    for _ in 0..5 {
        safety.limit(&target);
    }
    assert!(!safety.at_rest());
    let mut ticks = 0;
    while !safety.at_rest() {
        safety.hold();
        ticks += 1;
        assert!(ticks < 100);
    }
    let held = safety.joints();
    assert_eq!(safety.hold().joints, held);
    assert_eq!(safety.hold().velocities, [0.0; MAX_DOF]);
}

#[test]
fn an_approach_is_slow_and_arrives() {
    let mut safety = safety();
    let start = safety.joints();
    let mut target = start;
    target[0] += 0.3;
    let limit = safety.robot.limits()[0].velocity;
    for _ in 0..2000 {
        let limited = safety.approach(&target, 0.1);
        assert!(limited.velocities[0].abs() <= 0.1 * limit + 1e-9);
    }
    assert!((safety.joints()[0] - target[0]).abs() < 1e-6);
}

#[test]
fn the_tool_stops_at_the_border_of_the_workspace() {
    let mut safety = safety();
    // Straighten the arm: far out of any tabletop workspace.
    let stretched = [0.0; MAX_DOF];
    let mut kinds = LimitKinds::NONE;
    for _ in 0..400 {
        let limited = safety.limit(&stretched);
        kinds |= limited.kinds;
        assert!(safety.outside(&limited.joints) <= safety.tolerance + 2e-3);
    }
    assert!(kinds.contains(LimitKinds::WORKSPACE));
}

#[test]
fn from_outside_the_workspace_the_way_back_is_open() {
    let mut safety = safety();
    let home = safety.joints();
    safety.reset(&[0.0; MAX_DOF]);
    let outside = safety.outside(&safety.joints());
    assert!(
        outside > 0.05,
        "the stretched arm should be outside: {outside}"
    );
    for _ in 0..2000 {
        safety.approach(&home, 0.5);
    }
    for (joint, home) in safety.joints().iter().zip(home) {
        assert!((joint - home).abs() < 1e-6);
    }
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -4.0f64..4.0,
        1 => any::<f64>(),
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(f64::NEG_INFINITY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_sequence_of_targets_breaks_a_limit(
        targets in prop::collection::vec(prop::array::uniform8(any_number()), 1..80),
        repeats in 1usize..8,
    ) {
        let mut safety = safety();
        let limits = safety.robot.limits().to_vec();
        let (mut position, mut velocity) = (safety.joints(), [0.0; MAX_DOF]);
        for target in targets {
            for _ in 0..repeats {
                let limited = safety.limit(&target);
                for (index, limits) in limits.iter().enumerate() {
                    let now = limited.joints[index];
                    let speed = (now - position[index]) / PERIOD;
                    let acceleration = (speed - velocity[index]) / PERIOD;
                    prop_assert!(now >= limits.lower && now <= limits.upper);
                    prop_assert!(speed.abs() <= limits.velocity * (1.0 + 1e-9) + 1e-9);
                    prop_assert!(acceleration.abs() <= limits.acceleration * (1.0 + 1e-6) + 1e-6);
                    prop_assert!((limited.velocities[index] - speed).abs() < 1e-6);
                    velocity[index] = speed;
                }
                position = limited.joints;
                // Between an admitted step and its stop point the way may bulge a little.
                let outside = safety.outside(&position);
                prop_assert!(outside <= safety.tolerance + 0.03, "{} m outside", outside);
            }
        }
    }
}
