//! The thing that a task is about, as a tracking system would report it.

use cerebellum_kinematics::Pose;
use glam::DVec3;

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThingKind {
    /// A block, which lies loose.
    Block,
    /// A drawer.
    Drawer,
    /// A button.
    Button,
    /// A lever.
    Lever,
    /// A peg, which lies loose.
    Peg,
}

/// The thing that a task is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thing {
    /// Its kind.
    pub kind: ThingKind,
    /// Its middle; of a drawer the front's, on the table (m).
    pub position: DVec3,
    /// First two columns of its rotation matrix.
    pub columns: [DVec3; 2],
    /// How far its joint is along its way: a drawer's opening and a button's depth 0 … 1, a lever's
    /// turn −1 … 1; 0 for what lies loose.
    pub share: f64,
}

impl Thing {
    /// Numbers of [`Thing::values`].
    pub const WIDTH: usize = 15;

    pub(crate) fn loose(kind: ThingKind, pose: &Pose) -> Self {
        Self::jointed(kind, pose, 0.0)
    }

    pub(crate) fn jointed(kind: ThingKind, pose: &Pose, share: f64) -> Self {
        Self {
            kind,
            position: pose.position,
            columns: [DVec3::X, DVec3::Y].map(|axis| pose.orientation * axis),
            share,
        }
    }

    /// Names of [`Thing::values`], in the same order: how a tracking system publishes them among
    /// the joints.
    pub const NAMES: [&str; Self::WIDTH] = [
        "thing/x",
        "thing/y",
        "thing/z",
        "thing/xx",
        "thing/xy",
        "thing/xz",
        "thing/yx",
        "thing/yy",
        "thing/yz",
        "thing/share",
        "thing/block",
        "thing/drawer",
        "thing/button",
        "thing/lever",
        "thing/peg",
    ];

    /// Position (3), two columns of the rotation matrix (6), share of the joint's way (1), and one
    /// number per kind, 1 for its own and 0 for the others (5).
    pub fn values(&self) -> [f64; Self::WIDTH] {
        let mut values = [0.0; Self::WIDTH];
        let [x, y] = self.columns;
        let vectors = [self.position, x, y];
        let numbers = vectors.into_iter().flat_map(|vector| vector.to_array());
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = number;
        }
        values[9] = self.share;
        values[10 + self.kind as usize] = 1.0;
        values
    }
}

#[cfg(test)]
mod tests {
    use glam::DQuat;

    use super::*;

    #[test]
    fn numbers_stand_where_their_names_say() {
        let quarter = DQuat::from_rotation_z(std::f64::consts::FRAC_PI_2);
        let pose = Pose::new(DVec3::new(0.5, -0.1, 0.02), quarter);
        let values = Thing::jointed(ThingKind::Lever, &pose, -0.3).values();
        let at = |name: &str| {
            let found = Thing::NAMES.iter().position(|known| *known == name);
            found.map(|index| (values[index] * 1e9).round() / 1e9)
        };
        assert_eq!(at("thing/y"), Some(-0.1));
        // The first axis points to where the second one was.
        assert_eq!((at("thing/xx"), at("thing/xy")), (Some(0.0), Some(1.0)));
        assert_eq!((at("thing/yx"), at("thing/yy")), (Some(-1.0), Some(0.0)));
        assert_eq!(at("thing/share"), Some(-0.3));
        assert_eq!((at("thing/lever"), at("thing/peg")), (Some(1.0), Some(0.0)));
    }
}
