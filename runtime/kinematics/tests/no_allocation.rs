//! The functions that a control loop calls do not allocate.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cerebellum_kinematics::{InverseConfig, Robot, TcpServo};
use glam::DVec3;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the count is thread-local.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn kinematics_do_not_allocate() {
    let robot = Robot::tabletop().unwrap();
    let mut servo = TcpServo::new(robot.clone());
    let before = COUNT.with(Cell::get);
    let mut joints = *robot.home();
    for tick in 0..50 {
        let translation = DVec3::new(0.01, 0.02, -0.02) * (1.0 - f64::from(tick % 3));
        joints = servo
            .advance(translation, DVec3::new(0.0, 0.03, 0.1), tick % 2 == 0)
            .joints;
        let tool = robot.forward(&joints);
        let found = robot.inverse(&tool, robot.home(), &InverseConfig::FAR);
        assert!(found.joints.iter().all(|value| value.is_finite()));
    }
    servo.reset(&joints);
    assert_eq!(COUNT.with(Cell::get), before);
}
