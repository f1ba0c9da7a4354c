//! A held block stays where it is held.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cerebellum_sim::{Outcome, Split, Task};
use common::Rig;

#[test]
fn a_shaken_block_does_not_slip() {
    for seed in 0..6 {
        let mut rig = Rig::new(Task::PickUp, Split::Train, seed);
        let color = rig.named();
        while rig.block(color).z < 0.05 {
            assert_eq!(rig.expert(), Outcome::Running, "seed {seed}");
        }
        let held = |rig: &Rig| {
            let tool = rig.episode.tool();
            tool.inverse().transform(rig.block(color))
        };
        // Come to rest, then shake to and fro at full speed, and rest again.
        let still = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0];
        rig.repeat(4, still);
        let before = held(&rig);
        for tick in 0..40 {
            let way = if (tick / 5) % 2 == 0 { 1.0 } else { -1.0 };
            rig.apply([0.3 * way, 0.9 * way, 0.0, 0.0, 0.0, 0.5 * way, -1.0]);
        }
        rig.repeat(4, still);
        let slip = held(&rig).distance(before);
        assert!(slip < 1e-3, "seed {seed}: {slip} m");
        let width = rig.episode.joint_state().position[7];
        assert!(
            (width - 0.04).abs() < 5e-4,
            "seed {seed}: fingers {width} m apart"
        );
    }
}
