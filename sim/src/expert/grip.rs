//! Taking hold of things and carrying them.

use cerebellum_kinematics::Pose;
use glam::{DVec2, DVec3};

use super::hand::TRAVEL;
use super::{Hand, Phase, Wish, facing};

/// Where and how a thing is held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grip {
    /// Point between the pads (m).
    pub at: DVec3,
    /// Turn of the hand about the vertical (rad).
    pub yaw: f64,
    /// Width of the thing there (m).
    pub width: f64,
}

/// Height above the grip for travel (m).
const HOVER: f64 = 0.09;

impl Grip {
    /// Whether the fingers are closed around the thing.
    pub(crate) fn holds(&self, hand: &Hand) -> bool {
        let away = hand.measured.position - self.at;
        let squeezed = hand.width - self.width;
        away.truncate().length() < 0.02
            && away.z.abs() < 0.03
            && (-0.008..0.003).contains(&squeezed)
    }

    /// The next move to take hold; `None` once the thing is held.
    pub(crate) fn seize(&self, hand: &Hand) -> Option<Wish> {
        if self.holds(hand) {
            return None;
        }
        let target = Pose::new(self.at, facing(self.yaw));
        // Once the fingers close, they may shift the thing a little.
        let closing = hand.width < 0.07;
        let (aside, high) = if closing {
            (0.018, 0.02)
        } else {
            (0.006, 0.008)
        };
        let away = hand.measured.position - self.at;
        let (_, turn) = hand.measured.difference(&target);
        let missed = hand.width < self.width - 0.008;
        let around = away.truncate().length() < aside
            && away.z.abs() < high
            && turn.length() < if closing { 0.4 } else { 0.12 };
        if around && !missed {
            return Some(Wish {
                pose: target,
                open: false,
                speed: TRAVEL,
                phase: Phase::Grasp,
            });
        }
        Some(Wish {
            pose: hand.approach(&target, HOVER, 0.005),
            open: true,
            speed: TRAVEL,
            phase: Phase::Approach,
        })
    }
}

/// Where a held thing should go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carry {
    /// Where its centre should be when it is let go (m).
    pub to: DVec3,
    /// Turn it should have, if that matters (rad).
    pub yaw: Option<f64>,
    /// Height above the goal for travel (m).
    pub hover: f64,
    /// Horizontal distance at which it may be lowered all the way (m).
    pub tolerance: f64,
    /// Height above the goal that is needed beside it, from 1.6 times the tolerance on (m).
    pub clearance: f64,
}

impl Carry {
    /// The next move of a hand that holds the thing at `thing`, whose turn is `yaw`.
    pub(crate) fn go(&self, hand: &Hand, thing: DVec3, yaw: f64) -> Wish {
        let turn = self.yaw.map_or(0.0, |wanted| wrap(wanted - yaw));
        let away: DVec2 = (self.to - thing).truncate();
        let aside = away.length() + 0.02 * turn.abs();
        let arrived = aside < 2.0 * self.tolerance && thing.z < self.to.z + 0.004;
        let here = hand.measured.position;
        let tool = here + (self.to - thing);
        let target = Pose::new(tool, facing(hand.yaw() + turn));
        let beyond = (aside - self.tolerance).max(0.0);
        let step = self.clearance * (beyond / (0.6 * self.tolerance)).min(1.0);
        let pose = hand.descend(&target, (step + 4.0 * beyond).min(self.hover));
        Wish {
            pose: if arrived { hand.commanded } else { pose },
            open: arrived,
            speed: TRAVEL,
            phase: if arrived {
                Phase::Release
            } else {
                Phase::Carry
            },
        }
    }
}

/// An angle brought into -π..=π.
pub(crate) fn wrap(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    angle - TAU * ((angle + PI) / TAU).floor()
}
