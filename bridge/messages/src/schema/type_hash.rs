//! Type hashes, version 1 (`RIHS01`).
//!
//! Source: ROS Enhancement Proposal 2016. The hash is the SHA-256 of the type's description in
//! JSON, with one blank after each comma and colon and members in a fixed order. Comments and
//! constants are not part of it; names, order and types of fields are, at all depths.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Array, Base, Definition, Field, SchemaError, dependencies};

/// Number of a nested type in `type_description_interfaces/FieldType`.
const NESTED: u8 = 1;
/// Added to the number of the element's type.
const FIXED_ARRAY: u8 = 48;
/// Added to the number of the element's type.
const UNBOUNDED_SEQUENCE: u8 = 144;

/// The type hash of a message: `RIHS01_` and 64 hexadecimal digits.
///
/// # Errors
/// The type is unknown.
///
/// ```
/// let hash = cerebellum_messages::schema::type_hash("builtin_interfaces/msg/Time")?;
/// assert!(hash.starts_with("RIHS01_b106235e"));
/// # Ok::<(), cerebellum_messages::schema::SchemaError>(())
/// ```
pub fn type_hash(ros_type: &str) -> Result<String, SchemaError> {
    let mut text = String::with_capacity(71);
    text.push_str("RIHS01_");
    for byte in Sha256::digest(description(ros_type)?) {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The description that is hashed.
///
/// # Errors
/// The type is unknown.
pub fn description(ros_type: &str) -> Result<String, SchemaError> {
    let own = describe(&Definition::named(ros_type)?);
    let referenced = join(dependencies(ros_type)?.iter().map(describe));
    Ok(format!(
        r#"{{"type_description": {own}, "referenced_type_descriptions": [{referenced}]}}"#
    ))
}

fn describe(definition: &Definition) -> String {
    let fields = join(definition.fields.iter().map(describe_field));
    let name = &definition.ros_type;
    format!(r#"{{"type_name": "{name}", "fields": [{fields}]}}"#)
}

fn describe_field(field: &Field) -> String {
    let name = &field.name;
    let (base, nested) = match &field.base {
        Base::Primitive(primitive) => (primitive.type_id(), ""),
        Base::Nested(nested) => (NESTED, nested.as_str()),
    };
    let (id, capacity) = match field.array {
        Array::One => (base, 0),
        Array::Fixed(count) => (base + FIXED_ARRAY, count),
        Array::Unbounded => (base + UNBOUNDED_SEQUENCE, 0),
    };
    format!(
        r#"{{"name": "{name}", "type": {{"type_id": {id}, "capacity": {capacity}, "string_capacity": 0, "nested_type_name": "{nested}"}}}}"#
    )
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn description_of_a_string() {
        let expected = concat!(
            r#"{"type_description": {"type_name": "std_msgs/msg/String", "fields": [{"name": "data", "#,
            r#""type": {"type_id": 17, "capacity": 0, "string_capacity": 0, "nested_type_name": ""}}]}, "#,
            r#""referenced_type_descriptions": []}"#
        );
        assert_eq!(description("std_msgs/msg/String").unwrap(), expected);
    }

    /// As published by ROS 2 (`ros2 topic info --verbose`; unchanged from Jazzy to Kilted).
    #[test]
    fn published_hashes() {
        let published = [
            (
                "builtin_interfaces/msg/Duration",
                "e8d009f659816f758b75334ee1a9ca5b5c0b859843261f14c7f937349599d93b",
            ),
            (
                "builtin_interfaces/msg/Time",
                "b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197",
            ),
            (
                "rosgraph_msgs/msg/Clock",
                "692f7a66e93a3c83e71765d033b60349ba68023a8c689a79e48078bcb5c58564",
            ),
            (
                "sensor_msgs/msg/CompressedImage",
                "15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
            ),
            (
                "sensor_msgs/msg/Image",
                "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
            ),
            (
                "sensor_msgs/msg/JointState",
                "a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e",
            ),
            (
                "std_msgs/msg/Header",
                "f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01",
            ),
            (
                "std_msgs/msg/String",
                "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
            ),
            (
                "trajectory_msgs/msg/JointTrajectory",
                "179b33eba59d676f6d967ac71fe35e7ca2f64b2f3928f4a018cec115e213796e",
            ),
        ];
        for (ros_type, hash) in published {
            assert_eq!(
                type_hash(ros_type).unwrap(),
                format!("RIHS01_{hash}"),
                "{ros_type}"
            );
        }
    }
}
