//! When a task counts as achieved, and when not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cerebellum_sim::render::Geometry;
use cerebellum_sim::{Outcome, Split, Task};
use common::Rig;
use glam::DVec3;

#[test]
fn doing_nothing_runs_out_of_time() {
    for task in Task::ALL {
        let mut rig = Rig::new(task, Split::Eval, 0);
        while rig.apply([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]) == Outcome::Running {}
        assert_eq!(rig.episode.outcome(), Outcome::TimedOut, "{task}");
        assert_eq!(rig.episode.ticks(), task.time_limit());
        // It stays over.
        let hash = rig.episode.state_hash();
        rig.apply([1.0; 7]);
        assert_eq!(rig.episode.state_hash(), hash);
    }
}

#[test]
fn the_wrong_button_spoils() {
    let mut rig = Rig::new(Task::PressButton, Split::Train, 2);
    let wanted = rig.named().linear();
    let caps = rig.find(|shape| {
        let cap = matches!(shape.geometry, Geometry::Cylinder { radius, .. } if radius == 0.022);
        cap && shape.material.color != wanted
    });
    let cap = caps[0];
    rig.go(DVec3::new(cap.x, cap.y, 0.12), false);
    assert_eq!(rig.episode.outcome(), Outcome::Running);
    let outcome = rig.go(DVec3::new(cap.x, cap.y, 0.024), false);
    assert_eq!(outcome, Outcome::Spoiled);
}

#[test]
fn the_wrong_side_spoils() {
    let mut rig = Rig::new(Task::TurnLever, Split::Train, 1);
    let knob = rig.find(|shape| {
        matches!(shape.geometry, Geometry::Cylinder { half_height, .. } if half_height == 0.014)
    })[0];
    // Left is towards positive y: push the other way.
    let left = rig.episode.instruction().contains("left");
    let side = if left { 1.0 } else { -1.0 };
    let beside = knob + DVec3::new(0.015, side * 0.05, 0.0);
    rig.go(beside + DVec3::Z * 0.08, false);
    rig.go(beside, false);
    assert_eq!(rig.episode.outcome(), Outcome::Running);
    let outcome = rig.go(beside - DVec3::Y * side * 0.20, false);
    assert_eq!(outcome, Outcome::Spoiled);
}

#[test]
fn another_block_does_not_count() {
    let mut rig = Rig::new(Task::PickUp, Split::Train, 0);
    let named = rig.named();
    let other = rig.find(|shape| {
        let cube =
            matches!(shape.geometry, Geometry::Cuboid { half } if half.x == 0.02 && half.z == 0.02);
        cube && shape.material.color != named.linear()
    })[0];
    rig.go(other + DVec3::Z * 0.1, true);
    rig.go(other, true);
    for _ in 0..5 {
        rig.apply([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
    }
    rig.go(other + DVec3::Z * 0.15, false);
    assert_eq!(rig.episode.outcome(), Outcome::Running);
}

#[test]
fn a_held_block_is_not_placed() {
    for task in [Task::PlaceOnPlate, Task::PlaceInTray, Task::Stack] {
        let mut rig = Rig::new(task, Split::Train, 7);
        while !rig.expert().is_over() {}
        assert_eq!(rig.episode.outcome(), Outcome::Succeeded);
        let state = rig.episode.joint_state();
        assert!(
            state.position[7] > 0.044,
            "{task}: still held at {}",
            state.position[7]
        );
    }
}
