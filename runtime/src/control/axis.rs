//! Limits of one joint: position, velocity and acceleration at once, exactly, in discrete time.
//!
//! Let `u` be the change of the commanded position at a tick [rad or m]. A velocity limit bounds
//! `|u|`, an acceleration limit bounds its change from tick to tick by `b`. Position limits are
//! harder: a joint that moves fast towards its end must begin to brake in time. From `u`, braking
//! as hard as allowed covers `u + (u - b) + (u - 2b) + …` in all; [`reach`] inverts that sum. A
//! motion that keeps its stopping distance within what is left can always be continued, so the
//! three limits never contradict each other.

use cerebellum_kinematics::Limits;

use super::limited::LimitKinds;

/// Rounding that does not count as a limit at work, as a share of the largest step.
const ROUNDING: f64 = 1e-9;

/// The largest step that still allows to stop within `distance`, when each step may be shorter than
/// the one before by at most `brake`. Zero if the distance is not positive.
pub(super) fn reach(distance: f64, brake: f64) -> f64 {
    if distance <= 0.0 {
        return 0.0;
    }
    // Steps after the first: the largest n with 1 + … + n <= distance / brake.
    let ratio = distance / brake;
    let after = ((-1.0 + (1.0 + 8.0 * ratio).sqrt()) * 0.5).floor();
    (distance + brake * after * (after + 1.0) * 0.5) / (after + 1.0)
}

/// What braking covers, the step `step` (not negative) included.
fn stopping(step: f64, brake: f64) -> f64 {
    let after = (step / brake).floor();
    (after + 1.0) * step - brake * after * (after + 1.0) * 0.5
}

/// The commanded motion of one joint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    lower: f64,
    upper: f64,
    /// Largest step of a tick.
    most: f64,
    /// Largest change of the step from tick to tick.
    brake: f64,
    position: f64,
    step: f64,
    /// Target of the tick before.
    target: f64,
}

impl Axis {
    /// At rest at position 0. `limits` are positive, `period` is in seconds.
    pub fn new(limits: &Limits, period: f64) -> Self {
        Self {
            lower: limits.lower,
            upper: limits.upper,
            most: limits.velocity * period,
            brake: limits.acceleration * period * period,
            position: 0.0,
            step: 0.0,
            target: 0.0,
        }
    }

    /// At rest at `position`.
    pub fn reset(&mut self, position: f64) {
        self.position = position;
        self.step = 0.0;
        self.target = position;
    }

    pub const fn position(&self) -> f64 {
        self.position
    }
    pub const fn step(&self) -> f64 {
        self.step
    }
    /// Largest step of a tick.
    pub const fn most(&self) -> f64 {
        self.most
    }
    pub fn at_rest(&self) -> bool {
        self.step == 0.0
    }

    /// The step that brakes.
    pub fn braking(&self) -> f64 {
        self.step.signum() * (self.step.abs() - self.brake).max(0.0)
    }

    /// Where the joint would stand if `step` were made and braked from.
    pub fn stop_after(&self, step: f64) -> f64 {
        self.position + step.signum() * stopping(step.abs(), self.brake)
    }

    /// The step towards `target` (finite) within the limits, and which of them were at work.
    ///
    /// The motion of the target is followed as it is; what the joint lags behind it is made up by a
    /// motion that ends without overshoot.
    pub fn towards(&self, target: f64) -> (f64, LimitKinds) {
        let mut kinds = LimitKinds::NONE;
        let slack = ROUNDING * self.most;
        let goal = target.max(self.lower).min(self.upper);
        if (goal - target).abs() > slack {
            kinds |= LimitKinds::POSITION;
        }
        let lag = self.target - self.position;
        let wanted = (goal - self.target) + lag.signum() * reach(lag.abs(), self.brake);

        let mut step = wanted.max(-self.most).min(self.most);
        if (step - wanted).abs() > slack {
            kinds |= LimitKinds::VELOCITY;
        }
        let before = step;
        step = step.max(self.step - self.brake).min(self.step + self.brake);
        if (step - before).abs() > slack {
            kinds |= LimitKinds::ACCELERATION;
        }
        let before = step;
        let down = -reach(self.position - self.lower, self.brake);
        let up = reach(self.upper - self.position, self.brake);
        step = step.max(down).min(up);
        // Rounding apart, this takes nothing back from the limit of acceleration.
        if (step - before).abs() > slack {
            kinds |= LimitKinds::POSITION;
        }
        (step, kinds)
    }

    /// Makes a step. `target` is what the next tick's target will be compared with.
    pub fn commit(&mut self, step: f64, target: Option<f64>) {
        let inside = (self.lower..=self.upper).contains(&self.position);
        let mut position = self.position + step;
        if inside {
            position = position.max(self.lower).min(self.upper); // rounding
        }
        self.position = position;
        self.step = step;
        self.target = match target {
            Some(target) => target.max(self.lower).min(self.upper),
            None => position,
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        lower: -1.0,
        upper: 2.0,
        velocity: 2.0,
        acceleration: 8.0,
    };
    const PERIOD: f64 = 0.05;

    #[test]
    fn a_motion_within_the_limits_is_followed_exactly() {
        let mut axis = Axis::new(&LIMITS, PERIOD);
        for tick in 1..200 {
            let target = 0.5 * (f64::from(tick) * PERIOD * 1.5).sin() * (f64::from(tick) / 200.0);
            let (step, kinds) = axis.towards(target);
            axis.commit(step, Some(target));
            assert!((axis.position() - target).abs() < 1e-9, "tick {tick}");
            assert_eq!(kinds, LimitKinds::NONE);
        }
    }

    #[test]
    fn a_jump_is_approached_without_overshoot() {
        let mut axis = Axis::new(&LIMITS, PERIOD);
        let mut most: f64 = 0.0;
        for _ in 0..100 {
            let (step, _) = axis.towards(1.0);
            axis.commit(step, Some(1.0));
            most = most.max(axis.position());
        }
        assert!((axis.position() - 1.0).abs() < 1e-9);
        // The target's own jump asks for full speed at first, which costs less than one step.
        assert!(most < 1.0 + LIMITS.velocity * PERIOD, "{most}");
        assert!(axis.step().abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn reach_inverts_stopping(distance in 0.0f64..10.0, brake in 1e-4f64..1.0) {
            let step = reach(distance, brake);
            prop_assert!((stopping(step, brake) - distance).abs() < 1e-6 * (1.0 + distance));
            prop_assert!(step <= distance + 1e-12);
        }

        #[test]
        fn no_sequence_of_targets_breaks_a_limit(
            targets in prop::collection::vec(
                prop_oneof![-3.0f64..3.0, Just(f64::MAX), Just(f64::MIN), Just(2.0), Just(-1.0)],
                1..300,
            ),
            brakes in prop::collection::vec(any::<bool>(), 300),
        ) {
            let mut axis = Axis::new(&LIMITS, PERIOD);
            let (mut position, mut step) = (0.0, 0.0);
            for (target, brake) in targets.into_iter().zip(brakes) {
                if brake {
                    axis.commit(axis.braking(), None);
                } else {
                    let (step, _) = axis.towards(target);
                    axis.commit(step, Some(target));
                }
                let made = axis.position() - position;
                prop_assert!((LIMITS.lower..=LIMITS.upper).contains(&axis.position()));
                prop_assert!(made.abs() <= LIMITS.velocity * PERIOD + 1e-9);
                prop_assert!((made - step).abs() <= LIMITS.acceleration * PERIOD * PERIOD + 1e-9);
                (position, step) = (axis.position(), made);
            }
        }
    }
}
