//! The robot description as it stands in a TOML file, and its checks.

use serde::Deserialize;

use crate::{MAX_DOF, RobotError};

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Description {
    pub name: String,
    pub joint: Vec<JointEntry>,
    pub tool: ToolEntry,
    pub gripper: GripperEntry,
    pub workspace: WorkspaceEntry,
    pub home: HomeEntry,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JointEntry {
    pub name: String,
    pub xyz: [f64; 3],
    pub rpy: [f64; 3],
    pub position: [f64; 2],
    pub velocity: f64,
    pub acceleration: f64,
    pub mass: f64,
    pub radius: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolEntry {
    pub xyz: [f64; 3],
    pub rpy: [f64; 3],
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GripperEntry {
    pub name: String,
    pub position: [f64; 2],
    pub velocity: f64,
    pub acceleration: f64,
    pub force: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceEntry {
    pub min: [f64; 3],
    pub max: [f64; 3],
    pub tilt: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HomeEntry {
    pub joints: Vec<f64>,
    pub gripper: f64,
}

/// Longest link offset taken seriously (m); a larger one is surely in millimetres.
const LONGEST: f64 = 10.0;

impl Description {
    /// Reads and checks `text`; `file` is the name that errors give.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Self, RobotError> {
        let description: Self = toml::from_str(text).map_err(|error| RobotError::Syntax {
            file: file.to_owned(),
            line: error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1),
            message: error.message().to_owned(),
        })?;
        description.check(&Checker { file })?;
        Ok(description)
    }

    fn check(&self, checker: &Checker<'_>) -> Result<(), RobotError> {
        let most = MAX_DOF - 1;
        if self.joint.is_empty() || self.joint.len() > most {
            let expected = format!("1 to {most} entries");
            return Err(checker.error("joint", &expected, &self.joint.len()));
        }
        for (index, joint) in self.joint.iter().enumerate() {
            let key = |field: &str| format!("joint[{index}].{field}");
            checker.name(&key("name"), &joint.name)?;
            let before = self.joint.get(..index).unwrap_or_default();
            if before.iter().any(|other| other.name == joint.name)
                || joint.name == self.gripper.name
            {
                return Err(checker.error(&key("name"), "a name used once", &joint.name));
            }
            checker.vector(&key("xyz"), &joint.xyz)?;
            checker.vector(&key("rpy"), &joint.rpy)?;
            checker.range(&key("position"), joint.position)?;
            checker.positive(&key("velocity"), joint.velocity)?;
            checker.positive(&key("acceleration"), joint.acceleration)?;
            checker.positive(&key("mass"), joint.mass)?;
            checker.positive(&key("radius"), joint.radius)?;
        }
        checker.vector("tool.xyz", &self.tool.xyz)?;
        checker.vector("tool.rpy", &self.tool.rpy)?;
        checker.name("gripper.name", &self.gripper.name)?;
        checker.range("gripper.position", self.gripper.position)?;
        if self.gripper.position[0] < 0.0 {
            let found = format!("{:?}", self.gripper.position);
            return Err(checker.error("gripper.position", "a width of at least 0", &found));
        }
        checker.positive("gripper.velocity", self.gripper.velocity)?;
        checker.positive("gripper.acceleration", self.gripper.acceleration)?;
        checker.positive("gripper.force", self.gripper.force)?;
        checker.vector("workspace.min", &self.workspace.min)?;
        checker.vector("workspace.max", &self.workspace.max)?;
        for (axis, (low, high)) in self
            .workspace
            .min
            .iter()
            .zip(self.workspace.max)
            .enumerate()
        {
            if *low >= high {
                let key = format!("workspace.max[{axis}]");
                let expected = format!("more than workspace.min[{axis}] = {low}");
                return Err(checker.error(&key, &expected, &high));
            }
        }
        checker.positive("workspace.tilt", self.workspace.tilt)?;
        if self.home.joints.len() != self.joint.len() {
            let expected = format!("{} numbers, one per joint", self.joint.len());
            return Err(checker.error("home.joints", &expected, &self.home.joints.len()));
        }
        for (index, (value, joint)) in self.home.joints.iter().zip(&self.joint).enumerate() {
            checker.within(&format!("home.joints[{index}]"), *value, joint.position)?;
        }
        checker.within("home.gripper", self.home.gripper, self.gripper.position)
    }
}

struct Checker<'a> {
    file: &'a str,
}

impl Checker<'_> {
    fn error(&self, key: &str, expected: &str, found: &dyn std::fmt::Display) -> RobotError {
        RobotError::Value {
            file: self.file.to_owned(),
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }
    fn name(&self, key: &str, name: &str) -> Result<(), RobotError> {
        if name.is_empty() {
            return Err(self.error(key, "a name", &"an empty string"));
        }
        Ok(())
    }
    fn vector(&self, key: &str, values: &[f64; 3]) -> Result<(), RobotError> {
        if values.iter().all(|value| value.abs() <= LONGEST) {
            return Ok(());
        }
        let expected = format!("finite numbers of at most {LONGEST}");
        Err(self.error(key, &expected, &format!("{values:?}")))
    }
    fn range(&self, key: &str, range: [f64; 2]) -> Result<(), RobotError> {
        if range[0] < range[1] && range.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(self.error(
            key,
            "[lower, upper] with lower < upper",
            &format!("{range:?}"),
        ))
    }
    fn positive(&self, key: &str, value: f64) -> Result<(), RobotError> {
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(self.error(key, "a finite number above 0", &value))
    }
    fn within(&self, key: &str, value: f64, range: [f64; 2]) -> Result<(), RobotError> {
        if value >= range[0] && value <= range[1] {
            return Ok(());
        }
        let expected = format!("a number from {} to {}", range[0], range[1]);
        Err(self.error(key, &expected, &value))
    }
}
