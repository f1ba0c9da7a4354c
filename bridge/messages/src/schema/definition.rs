//! Parses `.msg` files.
//!
//! Grammar: <https://docs.ros.org/en/rolling/Concepts/Basic/About-Interfaces.html>. Left out are
//! `wstring`, bounded types and default values, which no message here has.

use thiserror::Error;

use super::source;

/// Why a definition cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// There is no definition of this type.
    #[error("no definition of `{0}`; write names as package/msg/Name")]
    Unknown(String),
    /// A line is not a field, constant or comment.
    #[error("{ros_type}, line {line}: cannot read `{text}`; expected `type name`")]
    Line {
        /// ROS type.
        ros_type: String,
        /// Line in the file, from one.
        line: usize,
        /// The line.
        text: String,
    },
}

/// A message's fields, in order. Constants are not part of the wire format and left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// For example `std_msgs/msg/String`.
    pub ros_type: String,
    /// In the order in which they travel.
    pub fields: Vec<Field>,
}

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Type of the value, or of each element.
    pub base: Base,
    /// One value or many.
    pub array: Array,
}

/// Type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A number, truth value or string.
    Primitive(Primitive),
    /// A message, by its ROS type.
    Nested(String),
}

/// One value or many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Array {
    /// One value.
    One,
    /// So many values, without a length on the wire: `type[n]`.
    Fixed(u32),
    /// Any number of values: `type[]`.
    Unbounded,
}

macro_rules! primitives {
    ($($variant:ident $name:literal $id:literal,)*) => {
        /// Built-in types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "named as in the .msg language")]
        pub enum Primitive {
            $($variant,)*
        }

        impl Primitive {
            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Number of the type in `type_description_interfaces/FieldType`.
            pub const fn type_id(self) -> u8 {
                match self {
                    $(Self::$variant => $id,)*
                }
            }
        }
    };
}

primitives! {
    Int8 "int8" 2,
    Uint8 "uint8" 3,
    Int16 "int16" 4,
    Uint16 "uint16" 5,
    Int32 "int32" 6,
    Uint32 "uint32" 7,
    Int64 "int64" 8,
    Uint64 "uint64" 9,
    Float32 "float32" 10,
    Float64 "float64" 11,
    Bool "bool" 15,
    Byte "byte" 16,
    String "string" 17,
}

impl Definition {
    /// The definition of a type of [`ROS_TYPES`](super::ROS_TYPES).
    ///
    /// # Errors
    /// The type is unknown or its file is malformed.
    pub fn named(ros_type: &str) -> Result<Self, SchemaError> {
        let text = source(ros_type).ok_or_else(|| SchemaError::Unknown(ros_type.to_owned()))?;
        Self::parse(ros_type, text)
    }

    /// Parses the text of a `.msg` file.
    ///
    /// # Errors
    /// A line that is neither a field nor a constant nor a comment.
    pub fn parse(ros_type: &str, text: &str) -> Result<Self, SchemaError> {
        let package = ros_type.split('/').next().unwrap_or_default();
        let mut fields = Vec::new();
        for (index, line) in text.lines().enumerate() {
            // No string constants, so a `#` always begins a comment.
            let code = line.split('#').next().unwrap_or_default().trim();
            if code.is_empty() || code.contains('=') {
                continue;
            }
            let field = parse_field(package, code).ok_or_else(|| SchemaError::Line {
                ros_type: ros_type.to_owned(),
                line: index + 1,
                text: line.to_owned(),
            })?;
            fields.push(field);
        }
        Ok(Self {
            ros_type: ros_type.to_owned(),
            fields,
        })
    }
}

fn parse_field(package: &str, code: &str) -> Option<Field> {
    let mut words = code.split_whitespace();
    let (kind, name) = (words.next()?, words.next()?);
    if words.next().is_some() || !is_name(name) {
        return None;
    }
    let (base, array) = match kind.strip_suffix(']') {
        None => (kind, Array::One),
        Some(rest) => match rest.split_once('[')? {
            (base, "") => (base, Array::Unbounded),
            (base, count) => (base, Array::Fixed(count.parse().ok()?)),
        },
    };
    let base = match Primitive::from_name(base) {
        Some(primitive) => Base::Primitive(primitive),
        None => {
            let (package, name) = base.split_once('/').unwrap_or((package, base));
            if !is_name(package) || !is_name(name) {
                return None;
            }
            Base::Nested(format!("{package}/msg/{name}"))
        }
    };
    Some(Field {
        name: name.to_owned(),
        base,
        array,
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn parses_fields_constants_and_comments() {
        let text = "# about\nuint8 A=1 # one\n\nint32[3] x # three\nOther[] rest\na/B c\n";
        let definition = Definition::parse("p/msg/M", text).unwrap();
        let field = |name: &str, base, array| Field {
            name: name.to_owned(),
            base,
            array,
        };
        let expected = [
            field("x", Base::Primitive(Primitive::Int32), Array::Fixed(3)),
            field(
                "rest",
                Base::Nested("p/msg/Other".to_owned()),
                Array::Unbounded,
            ),
            field("c", Base::Nested("a/msg/B".to_owned()), Array::One),
        ];
        assert_eq!(definition.fields, expected);
    }

    #[test]
    fn names_the_line_that_it_cannot_read() {
        for text in [
            "\nint32",
            "\nint32 x y",
            "\nint32] x",
            "\nstring<5 x",
            "\nint32[x] y",
        ] {
            let error = Definition::parse("p/msg/M", text).unwrap_err();
            assert!(
                matches!(error, SchemaError::Line { line: 2, .. }),
                "{error}"
            );
        }
    }
}
