//! The `.msg` definitions of all messages, and what is derived from them.

mod definition;
mod files;
mod type_hash;

pub use definition::{Array, Base, Definition, Field, Primitive, SchemaError};
pub use files::{ROS_TYPES, source};
pub use type_hash::{description, type_hash};

/// Line between definitions in the encoding `ros2msg`: eighty equals signs.
const SEPARATOR: &str =
    "================================================================================";

/// All definitions that the named one contains, at any depth, sorted by name; itself not included.
///
/// # Errors
/// An unknown type, or a definition that cannot be parsed.
pub fn dependencies(ros_type: &str) -> Result<Vec<Definition>, SchemaError> {
    let mut found: Vec<Definition> = Vec::new();
    let mut pending = vec![Definition::named(ros_type)?];
    while let Some(definition) = pending.pop() {
        for field in &definition.fields {
            let Base::Nested(name) = &field.base else {
                continue;
            };
            if let Err(place) = found.binary_search_by(|known| known.ros_type.cmp(name)) {
                let nested = Definition::named(name)?;
                found.insert(place, nested.clone());
                pending.push(nested);
            }
        }
    }
    Ok(found)
}

/// The source of a definition, followed by those of all definitions in it, each under a line that
/// names it: the schema encoding `ros2msg` of MCAP. Empty for an unknown type.
pub fn concatenated(ros_type: &str) -> String {
    let mut text = source(ros_type).unwrap_or_default().to_owned();
    for dependency in dependencies(ros_type).unwrap_or_default() {
        let body = source(&dependency.ros_type).unwrap_or_default();
        let name = dependency.ros_type.replace("/msg/", "/");
        text.push_str(&format!("{SEPARATOR}\nMSG: {name}\n{body}"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_files_parse() {
        for ros_type in ROS_TYPES {
            let definition = Definition::named(ros_type).unwrap();
            assert_eq!(definition.ros_type, ros_type);
            assert!(!definition.fields.is_empty());
            dependencies(ros_type).unwrap();
        }
    }

    #[test]
    fn dependencies_are_sorted_and_complete() {
        let names: Vec<_> = dependencies("cerebellum_msgs/msg/Goal")
            .unwrap()
            .into_iter()
            .map(|definition| definition.ros_type)
            .collect();
        assert_eq!(
            names,
            [
                "builtin_interfaces/msg/Time",
                "sensor_msgs/msg/Image",
                "std_msgs/msg/Header"
            ]
        );
    }

    #[test]
    fn a_schema_names_each_definition_once() {
        let text = concatenated("trajectory_msgs/msg/JointTrajectory");
        assert!(text.starts_with("std_msgs/Header header\nstring[] joint_names\n"));
        let named: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("MSG: "))
            .collect();
        assert_eq!(
            named,
            [
                "MSG: builtin_interfaces/Duration",
                "MSG: builtin_interfaces/Time",
                "MSG: std_msgs/Header",
                "MSG: trajectory_msgs/JointTrajectoryPoint",
            ]
        );
    }
}
