//! The policy and its learner, built from a package.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cerebellum_kinematics::Robot;
use cerebellum_policies::checkpoint::PolicyPackage;
use cerebellum_policies::checkpoint::package::Network;
use cerebellum_policies::device::OpenDevice;
use cerebellum_policies::error::{CheckpointError, PolicyError};
use cerebellum_policies::grif::GrifPolicy;
use cerebellum_policies::hilp::config::InputConfig;
use cerebellum_policies::hilp::online::HilpOnlineConfig;
use cerebellum_policies::hilp::{HilpOnline, HilpPolicy};
use cerebellum_policies::infocon::InfoConPolicy;
use cerebellum_policies::language::StaticTable;
use cerebellum_policies::mdt::online::OnlineConfig;
use cerebellum_policies::mdt::{MdtOnline, MdtPolicy};
use cerebellum_policies::online::OnlineModel;
use cerebellum_policies::policy::{Policy, PolicySpec};

use crate::control::{ActionInterface, ControlConfig, ControlError, Controller};
use crate::inference::{
    InferenceConfig, InferenceCore, LockstepPlanner, ShortcutsConfig, WeightSlot,
};
use crate::learner::{LearnerConfig, LearnerCore, LearnerError};
use crate::run::settings::LockstepSettings;
use crate::run::stepper::Stepper;

/// Why a policy cannot be brought up.
#[derive(Debug, thiserror::Error)]
pub enum BrainError {
    /// No package is there.
    #[error(
        "no policy package: {0} is not shipped with this program; name one with `--policy DIR` or make one with `cerebellum train`"
    )]
    Missing(String),
    /// The package cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The policy refuses it.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The learner's settings do not fit.
    #[error(transparent)]
    Learner(#[from] LearnerError),
    /// The control loop's settings or the policy's actions do not fit.
    #[error(transparent)]
    Control(#[from] ControlError),
}

/// A loaded package on a device.
pub struct Brain {
    package: PolicyPackage,
    device: OpenDevice,
    language: Arc<StaticTable>,
}

impl Brain {
    /// Reads the package in `folder`, or the shipped one.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn load(folder: Option<&Path>, device: OpenDevice) -> Result<Self, BrainError> {
        let folder = folder
            .map(PathBuf::from)
            .or_else(|| crate::assets::find(crate::assets::POLICY))
            .ok_or_else(|| BrainError::Missing(crate::assets::POLICY.to_owned()))?;
        Self::of(PolicyPackage::load(&folder)?, device)
    }

    /// Of a package in memory.
    ///
    /// # Errors
    /// If the sentence table is damaged.
    pub fn of(package: PolicyPackage, device: OpenDevice) -> Result<Self, BrainError> {
        Ok(Self {
            package,
            device,
            language: StaticTable::embedded()?,
        })
    }

    /// The task that the policy was trained for, if it is a single one, and its concepts in order.
    pub fn concepts(&self) -> Option<(&str, &[u32])> {
        match &self.package.network {
            Network::InfoCon { config, .. } => Some((&config.task, &config.order)),
            _ => None,
        }
    }

    /// Name of the device.
    pub fn device(&self) -> &str {
        &self.device.name
    }

    /// The policy, with the slot through which it takes new weights.
    ///
    /// # Errors
    /// If the weights do not fit.
    pub fn inference(
        &self,
        seed: u64,
        config: &InferenceConfig,
    ) -> Result<(InferenceCore, WeightSlot), BrainError> {
        let (package, device) = (&self.package, &self.device.device);
        let policy: Box<dyn Policy> = match &package.network {
            Network::Hilp { .. } | Network::Grif { .. } | Network::InfoCon { .. }
                if config.shortcuts != ShortcutsConfig::default() =>
            {
                return Err(BrainError::Policy(PolicyError::Setting {
                    name: "inference.shortcuts".into(),
                    reason: "this policy has no diffusion to cut short: leave them out".into(),
                }));
            }
            Network::Hilp { .. } => Box::new(HilpPolicy::new(package, device)?),
            Network::InfoCon { .. } => Box::new(InfoConPolicy::new(package, device)?),
            Network::Grif { .. } => {
                Box::new(GrifPolicy::new(package, self.language.clone(), device)?)
            }
            _ => Box::new(
                MdtPolicy::new(package, self.language.clone(), device)?
                    .with_shortcuts((&config.shortcuts).into())?,
            ),
        };
        let slot = WeightSlot::new();
        Ok((InferenceCore::new(policy, slot.clone(), seed, config), slot))
    }

    /// What the policy needs and gives.
    pub fn spec(&self) -> PolicySpec {
        self.package.spec()
    }

    /// Whether the policy reads what a tracking system reports.
    pub fn reads_tracking(&self) -> bool {
        match &self.package.network {
            Network::Hilp { config, .. } => config.inputs == InputConfig::Tracked,
            _ => false,
        }
    }

    /// The learner, which publishes to `slot`.
    ///
    /// # Errors
    /// If its settings do not fit the model.
    pub fn learner(
        &self,
        spec: &PolicySpec,
        robot: &Robot,
        config: LearnerConfig,
        slot: WeightSlot,
        seed: u64,
    ) -> Result<LearnerCore, BrainError> {
        let (package, device) = (&self.package, &self.device.device);
        let model: Box<dyn OnlineModel> = match &package.network {
            Network::Hilp { .. } => {
                let config = HilpOnlineConfig::default();
                Box::new(HilpOnline::new(package, config, device)?)
            }
            Network::Grif { .. } | Network::InfoCon { .. } => {
                return Err(BrainError::Policy(PolicyError::Setting {
                    name: "learn".into(),
                    reason: format!(
                        "a policy of family {} does not learn on the robot yet: turn learning off",
                        spec.family
                    ),
                }));
            }
            _ => {
                let language = self.language.clone();
                let config = OnlineConfig::default();
                Box::new(MdtOnline::new(package, config, language, device)?)
            }
        };
        let bounds: Vec<(f64, f64)> = robot
            .limits()
            .iter()
            .map(|limits| (limits.lower, limits.upper))
            .collect();
        Ok(LearnerCore::new(model, spec, &bounds, config, slot, seed)?)
    }

    /// Everything for a run in lockstep.
    ///
    /// # Errors
    /// If a setting does not fit.
    pub fn stepper(
        &self,
        robot: &Robot,
        seed: u64,
        control: ControlConfig,
        inference: &InferenceConfig,
        lockstep: &LockstepSettings,
        learner: Option<LearnerConfig>,
    ) -> Result<Stepper, BrainError> {
        let (core, slot) = self.inference(seed, inference)?;
        let spec = core.spec().clone();
        let controller = Controller::new(robot.clone(), ActionInterface::from(&spec), control)?;
        let learner = learner
            .map(|config| self.learner(&spec, robot, config, slot, seed))
            .transpose()?;
        let period = controller.period().span().duration();
        let planner = LockstepPlanner::new(
            core,
            inference.replan.clone(),
            lockstep.latency_ticks,
            period,
        );
        Ok(Stepper::new(
            controller,
            planner,
            learner,
            lockstep.micro_steps,
        ))
    }
}
