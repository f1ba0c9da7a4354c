//! Numbers over time.

use cerebellum_messages::{Command, JointState};
use rerun::{Color, Scalars, SeriesLines};

use super::{Scribe, Written, entity, path};
use crate::viewer::Timing;

/// Names of the numbers of a tool-motion action.
pub(super) const TCP_DELTA: [&str; 7] = ["x", "y", "z", "rx", "ry", "rz", "gripper"];

/// Colors of the lines of an entity, so that a number has the same color in a plan, in the action
/// executed and in every plan after it.
const PALETTE: [[u8; 3]; 8] = [
    [228, 87, 86],
    [84, 162, 75],
    [76, 120, 168],
    [245, 133, 24],
    [114, 183, 178],
    [178, 121, 162],
    [238, 202, 59],
    [186, 176, 172],
];

impl Scribe {
    /// Measured positions, velocities and efforts, one line per joint.
    pub(super) fn joints(&mut self, joints: &JointState) -> Written {
        let all = [
            ("position", &joints.position),
            ("velocity", &joints.velocity),
            ("effort", &joints.effort),
        ];
        for (what, values) in all {
            self.lines(&format!("{}/{what}", path::JOINTS), &joints.names, values)?;
        }
        Ok(())
    }

    /// The first point of a command, one line per joint.
    pub(super) fn command(&mut self, command: &Command) -> Written {
        let Some(point) = command.points.first() else {
            return Ok(());
        };
        let entity = format!("{}/position", path::COMMAND);
        self.lines(&entity, &command.joint_names, &point.positions)
    }

    /// The executed action, one line per number.
    pub(super) fn action(&mut self, values: &[f32]) -> Written {
        let values: Vec<_> = values.iter().copied().map(f64::from).collect();
        self.lines(path::ACTION, &action_names(values.len()), &values)
    }

    /// How a tick went.
    pub(super) fn timing(&mut self, timing: &Timing) -> Written {
        let all = [
            ("slack_us", timing.slack_us),
            ("jitter_us", timing.jitter_us),
            ("observation_age_us", timing.observation_age_us),
            ("inference_us", timing.inference_us),
            ("actions_left", timing.actions_left),
        ];
        for (name, value) in all {
            self.scalar(path::TIMING, name, value)?;
        }
        Ok(())
    }

    /// One point of a curve of its own; nothing if it is not finite.
    pub(super) fn scalar(&mut self, root: &str, name: &str, value: f64) -> Written {
        if !value.is_finite() {
            return Ok(());
        }
        self.stream.log(entity(root, name), &Scalars::single(value))
    }

    /// One point of each of several named lines at one entity.
    pub(super) fn lines(&mut self, entity: &str, names: &[String], values: &[f64]) -> Written {
        if values.is_empty() {
            return Ok(());
        }
        self.name_lines(entity, names)?;
        self.stream
            .log(entity, &Scalars::new(values.iter().copied()))
    }

    /// Names the lines of an entity, when the names are new.
    pub(super) fn name_lines(&mut self, entity: &str, names: &[String]) -> Written {
        if self.series.get(entity).is_some_and(|known| known == names) {
            return Ok(());
        }
        self.series.insert(entity.to_owned(), names.to_vec());
        let colors = names.iter().zip(PALETTE.iter().cycle());
        let lines = SeriesLines::new()
            .with_names(names.iter().map(String::as_str))
            .with_colors(colors.map(|(_, &[red, green, blue])| Color::from_rgb(red, green, blue)));
        self.stream.log_static(entity, &lines)
    }
}

/// Names of the numbers of an action of that width.
pub(super) fn action_names(width: usize) -> Vec<String> {
    if width == TCP_DELTA.len() {
        return TCP_DELTA.map(str::to_owned).to_vec();
    }
    (0..width)
        .map(|number| format!("action {number}"))
        .collect()
}
