//! Configuration of the control loop.

use cerebellum_messages::{ActionSpace, RuntimeState, TCP_DELTA_DIM};
use cerebellum_policies::policy::PolicySpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blend::{BlendRule, GripperRule};
use super::chunk::MAX_ACTION_DIM;
use super::safety::SafetyConfig;
use crate::clock::{ClockError, Period, Span};
use crate::realtime::RealtimeConfig;

/// The section `[control]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ControlConfig {
    /// Ticks per second.
    pub rate_hz: f64,
    /// Rule for overlapping chunks.
    pub blend: BlendRule,
    /// Rule for the gripper in overlapping chunks.
    pub gripper: GripperRule,
    /// Most chunks kept at a time, 1 to 64.
    pub slots: usize,
    /// Ages at which something counts as lost.
    pub timeouts: Timeouts,
    /// What to do about failures.
    pub responses: Responses,
    /// Limits of motion.
    pub safety: SafetyConfig,
    /// A joint further than this from where it was commanded to be [rad or m] means that the robot
    /// was moved: motion begins anew from where it is.
    pub displaced: f64,
    /// When the limits keep a joint further than this behind the servo's target, in radians, the
    /// target is taken back to the command, so that no motion is left over to be made up for later.
    pub lag: f64,
    /// How ticks are kept apart in real time.
    pub pacing: PacingConfig,
    /// What the control thread asks of the operating system.
    pub realtime: RealtimeConfig,
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            rate_hz: 20.0,
            blend: BlendRule::default(),
            gripper: GripperRule::default(),
            slots: 16,
            timeouts: Timeouts::default(),
            responses: Responses::default(),
            safety: SafetyConfig::default(),
            displaced: 0.2,
            lag: 0.2,
            pacing: PacingConfig::default(),
            realtime: RealtimeConfig::default(),
        }
    }
}

/// Ages at which something counts as lost, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// Age of the joint state at which it is stale.
    pub joints_ms: f64,
    /// Age of the oldest part of the newest observation (cameras included) at which it is stale.
    pub observation_ms: f64,
    /// Silence of the inference thread at which it counts as stuck. More than one plan takes.
    pub inference_ms: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            joints_ms: 200.0,
            observation_ms: 500.0,
            inference_ms: 2000.0,
        }
    }
}

impl Timeouts {
    /// See the field.
    pub const fn joints(&self) -> Span {
        Span::from_seconds(self.joints_ms * 1e-3)
    }
    /// See the field.
    pub const fn observation(&self) -> Span {
        Span::from_seconds(self.observation_ms * 1e-3)
    }
    /// See the field.
    pub const fn inference(&self) -> Span {
        Span::from_seconds(self.inference_ms * 1e-3)
    }
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Execute what is left of the chunks, then hold.
    Finish,
    /// Brake and hold position.
    #[default]
    Hold,
    /// Brake, hold for a while, then move slowly to the robot's home posture. The gripper stays.
    Retreat,
}

/// What to do about each failure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Responses {
    /// Observations are too old.
    pub stale: Response,
    /// The peer is gone.
    pub peer_lost: Response,
    /// The policy failed or gave a value that is not finite.
    pub policy_fault: Response,
    /// The inference thread does not answer.
    pub watchdog: Response,
    /// No chunk covers the tick; there is nothing to finish, so `finish` holds.
    pub starved: Response,
    /// Ticks to hold before a retreat.
    pub retreat_after: u64,
    /// Share of the joints' highest speed used for a retreat, above 0 up to 1.
    pub retreat_speed: f64,
}

impl Default for Responses {
    fn default() -> Self {
        Self {
            stale: Response::Hold,
            peer_lost: Response::Hold,
            policy_fault: Response::Hold,
            watchdog: Response::Hold,
            starved: Response::Hold,
            retreat_after: 100,
            retreat_speed: 0.1,
        }
    }
}

impl Responses {
    /// The response to a state; states that are no failures hold.
    pub const fn to(&self, state: RuntimeState) -> Response {
        match state {
            RuntimeState::Stale => self.stale,
            RuntimeState::PeerLost => self.peer_lost,
            RuntimeState::PolicyFault => self.policy_fault,
            RuntimeState::Watchdog => self.watchdog,
            RuntimeState::Starved => self.starved,
            RuntimeState::Running => Response::Finish,
            RuntimeState::Waiting | RuntimeState::Stopping => Response::Hold,
        }
    }
}

/// How ticks are kept apart in real time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PacingConfig {
    /// How long before its deadline the thread wakes to rehearse the tick and to wait actively, in
    /// microseconds. Trades CPU time (0.6 % of a core at 20 Hz by default) for jitter and for a
    /// tick that finds its code and data in the caches; 0 to only sleep.
    pub spin_us: f64,
    /// The latest start of a tick, as a share of its period (0 to 1): a tick that cannot start
    /// before is skipped and counted as missed, so that two commands never follow each other
    /// closer than the rest of a period.
    pub latest_start: f64,
}

impl Default for PacingConfig {
    fn default() -> Self {
        Self {
            spin_us: 300.0,
            latest_start: 0.5,
        }
    }
}

/// How a policy's actions are to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActionInterface {
    /// What the numbers mean.
    pub space: ActionSpace,
    /// Numbers per action.
    pub dim: usize,
    /// [`ActionSpace::TcpDelta`]: metres per tick at action value 1.
    pub translation_scale: f64,
    /// [`ActionSpace::TcpDelta`]: radians per tick at action value 1.
    pub rotation_scale: f64,
}

impl From<&PolicySpec> for ActionInterface {
    fn from(spec: &PolicySpec) -> Self {
        Self {
            space: spec.action_space,
            dim: spec.action_dim,
            translation_scale: spec.translation_scale,
            rotation_scale: spec.rotation_scale,
        }
    }
}

/// Why a control loop cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The rate cannot be run.
    #[error("control.rate_hz: {0}")]
    Rate(#[from] ClockError),
    /// A number of the configuration lies outside its range.
    #[error("control.{key} is {found}, expected {expected}")]
    Value {
        /// The key below `control`.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: f64,
    },
    /// The policy's actions do not fit the robot.
    #[error("the policy's actions cannot be executed by `{robot}`: {reason}")]
    Actions {
        /// Name of the robot.
        robot: String,
        /// Why, and what would fit.
        reason: String,
    },
    /// The control thread's real-time demands were refused.
    #[error(transparent)]
    Realtime(#[from] crate::realtime::RealtimeError),
    /// The operating system gave no thread.
    #[error("the control thread cannot be started: {0}")]
    Spawn(#[from] std::io::Error),
    /// The control thread ended before it was ready.
    #[error("the control thread ended before it was ready: {0}")]
    Died(String),
}

impl ControlConfig {
    /// Length of a tick.
    ///
    /// # Errors
    /// If the rate cannot be run.
    pub fn period(&self) -> Result<Period, ControlError> {
        Ok(Period::from_hz(self.rate_hz)?)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// The first that lies outside its range.
    pub fn check(&self) -> Result<(), ControlError> {
        const AGE: &str = "a positive number of milliseconds";
        const SHARE: &str = "a number above 0, at most 1";
        const DISTANCE: &str = "a positive number";
        self.period()?;
        let age = |value: f64| value > 0.0 && value.is_finite();
        let share = |value: f64| value > 0.0 && value <= 1.0;
        let decay = match self.blend {
            BlendRule::EnsembleNewest { decay } | BlendRule::EnsembleOldest { decay } => decay,
            BlendRule::Latest | BlendRule::CrossFade { .. } => 0.0,
        };
        let (timeouts, safety) = (&self.timeouts, &self.safety);
        let (spin, latest) = (self.pacing.spin_us, self.pacing.latest_start);
        let slots = self.slots as f64;
        for (key, fits, expected, found) in [
            (
                "blend.decay",
                decay >= 0.0 && decay.is_finite(),
                "a number of at least 0",
                decay,
            ),
            ("slots", (1.0..=64.0).contains(&slots), "1 to 64", slots),
            (
                "timeouts.joints_ms",
                age(timeouts.joints_ms),
                AGE,
                timeouts.joints_ms,
            ),
            (
                "timeouts.observation_ms",
                age(timeouts.observation_ms),
                AGE,
                timeouts.observation_ms,
            ),
            (
                "timeouts.inference_ms",
                age(timeouts.inference_ms),
                AGE,
                timeouts.inference_ms,
            ),
            (
                "responses.retreat_speed",
                share(self.responses.retreat_speed),
                SHARE,
                self.responses.retreat_speed,
            ),
            (
                "safety.velocity_share",
                share(safety.velocity_share),
                SHARE,
                safety.velocity_share,
            ),
            (
                "safety.acceleration_share",
                share(safety.acceleration_share),
                SHARE,
                safety.acceleration_share,
            ),
            (
                "safety.workspace_tolerance",
                safety.workspace_tolerance >= 0.0 && safety.workspace_tolerance.is_finite(),
                "a number of at least 0",
                safety.workspace_tolerance,
            ),
            ("displaced", self.displaced > 0.0, DISTANCE, self.displaced),
            ("lag", self.lag > 0.0, DISTANCE, self.lag),
            (
                "pacing.spin_us",
                (0.0..=1e6).contains(&spin),
                "0 to 1000000",
                spin,
            ),
            ("pacing.latest_start", share(latest), SHARE, latest),
        ] {
            if !fits {
                return Err(ControlError::Value {
                    key,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

impl ActionInterface {
    /// Checks the interface against a robot with `dof` joints, the gripper included.
    ///
    /// # Errors
    /// If the actions do not fit.
    pub fn check(&self, robot: &str, dof: usize) -> Result<(), ControlError> {
        let refuse = |reason: String| {
            Err(ControlError::Actions {
                robot: robot.to_owned(),
                reason,
            })
        };
        match self.space {
            ActionSpace::TcpDelta if self.dim != TCP_DELTA_DIM => refuse(format!(
                "tool motions have {TCP_DELTA_DIM} numbers, the policy gives {}",
                self.dim
            )),
            ActionSpace::TcpDelta => {
                for (what, scale) in [
                    ("translation_scale", self.translation_scale),
                    ("rotation_scale", self.rotation_scale),
                ] {
                    if !(scale.is_finite() && scale > 0.0) {
                        return refuse(format!("{what} is {scale}, expected a positive number"));
                    }
                }
                Ok(())
            }
            ActionSpace::JointPosition if self.dim != dof || dof > MAX_ACTION_DIM => {
                refuse(format!(
                    "it has {dof} joints with the gripper, the policy commands {}",
                    self.dim
                ))
            }
            ActionSpace::JointPosition => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_defaults_pass_and_survive_toml() {
        let config = ControlConfig::default();
        config.check().unwrap();
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ControlConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<ControlConfig>("").unwrap(), config);
    }

    #[test]
    fn unknown_keys_and_senseless_numbers_are_refused() {
        assert!(toml::from_str::<ControlConfig>("rate = 20.0").is_err());
        for text in [
            "rate_hz = 0.0",
            "slots = 0",
            "lag = nan",
            "blend = { rule = \"ensemble_oldest\", decay = -1.0 }",
            "pacing = { latest_start = 0.0 }",
            "timeouts = { joints_ms = inf }",
            "safety = { velocity_share = 1.5 }",
        ] {
            let config: ControlConfig = toml::from_str(text).unwrap();
            assert!(config.check().is_err(), "{text}");
        }
    }

    #[test]
    fn actions_must_fit_the_robot() {
        let mut actions = ActionInterface {
            space: ActionSpace::TcpDelta,
            dim: 7,
            translation_scale: 0.02,
            rotation_scale: 0.1,
        };
        actions.check("arm", 8).unwrap();
        actions.rotation_scale = f64::NAN;
        assert!(actions.check("arm", 8).is_err());
        actions.space = ActionSpace::JointPosition;
        assert!(actions.check("arm", 8).is_err());
        actions.dim = 8;
        actions.check("arm", 8).unwrap();
    }
}
