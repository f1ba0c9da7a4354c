//! Keys of topics.

use std::fmt;
use std::str::FromStr;

use super::NameError;
use crate::Message;

/// Stands in the place of the hash in keys of ROS 2 Humble, which has no type hashes.
pub const HASH_NOT_SUPPORTED: &str = "TypeHashNotSupported";

/// The zenoh key of a topic: `<domain>/<topic>/<type>/<hash>`.
///
/// ```
/// use cerebellum_messages::{Text, rmw::TopicKey};
///
/// let key = TopicKey::of::<Text>(0, "/robot1/chatter")?;
/// assert_eq!(
///     key.to_string(),
///     "0/robot1/chatter/std_msgs::msg::dds_::String_/\
///      RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18"
/// );
/// assert_eq!(key.to_string().parse(), Ok(key));
/// # Ok::<(), cerebellum_messages::rmw::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicKey {
    /// ROS domain, `ROS_DOMAIN_ID`.
    pub domain: u32,
    /// Topic with its namespace, without outer slashes.
    pub topic: String,
    /// Type as DDS calls it, for example `std_msgs::msg::dds_::String_`.
    pub dds_type: String,
    /// Type hash, or [`HASH_NOT_SUPPORTED`].
    pub hash: String,
}

impl TopicKey {
    /// The key of a topic with messages of type `M`; slashes around the topic do not matter.
    ///
    /// # Errors
    /// The topic breaks the rules for ROS 2 names.
    pub fn of<M: Message>(domain: u32, topic: &str) -> Result<Self, NameError> {
        Ok(Self {
            domain,
            topic: qualify("", topic)?,
            dds_type: M::dds_type(),
            hash: M::TYPE_HASH.to_owned(),
        })
    }

    /// The same topic as a node on ROS 2 Humble names it.
    #[must_use]
    pub fn without_hash(self) -> Self {
        Self {
            hash: HASH_NOT_SUPPORTED.to_owned(),
            ..self
        }
    }

    /// A key expression that matches the topic whatever the type hash, so that a receiver can tell
    /// a peer with another definition from no peer at all.
    pub fn any_hash(&self) -> String {
        let Self {
            domain,
            topic,
            dds_type,
            ..
        } = self;
        format!("{domain}/{topic}/{dds_type}/*")
    }
}

impl fmt::Display for TopicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            domain,
            topic,
            dds_type,
            hash,
        } = self;
        write!(f, "{domain}/{topic}/{dds_type}/{hash}")
    }
}

impl FromStr for TopicKey {
    type Err = NameError;

    fn from_str(key: &str) -> Result<Self, NameError> {
        let missing = |part| NameError::Key {
            key: key.to_owned(),
            kind: "topic key",
            part,
        };
        let (domain, rest) = key.split_once('/').ok_or_else(|| missing("topic"))?;
        let (rest, hash) = rest.rsplit_once('/').ok_or_else(|| missing("hash"))?;
        let (topic, dds_type) = rest.rsplit_once('/').ok_or_else(|| missing("type"))?;
        if !dds_type.contains("::") {
            return Err(missing("type"));
        }
        if hash.is_empty() {
            return Err(missing("hash"));
        }
        if qualify("", topic)? != topic {
            return Err(missing("topic"));
        }
        Ok(Self {
            domain: domain.parse().map_err(|_| missing("domain"))?,
            topic: topic.to_owned(),
            dds_type: dds_type.to_owned(),
            hash: hash.to_owned(),
        })
    }
}

/// A topic in a namespace, without outer slashes. A topic that begins with a slash is absolute and
/// stays outside the namespace, as in ROS 2.
///
/// # Errors
/// A part of the topic or namespace breaks the rules for ROS 2 names.
///
/// ```
/// use cerebellum_messages::rmw::qualify;
///
/// assert_eq!(qualify("/robot1", "joint_states")?, "robot1/joint_states");
/// assert_eq!(qualify("/robot1", "/clock")?, "clock");
/// assert!(qualify("", "camera front").is_err());
/// # Ok::<(), cerebellum_messages::rmw::NameError>(())
/// ```
pub fn qualify(namespace: &str, topic: &str) -> Result<String, NameError> {
    let namespace = strip(namespace);
    let name = strip(topic);
    check(name)?;
    if topic.starts_with('/') || namespace.is_empty() {
        return Ok(name.to_owned());
    }
    check(namespace)?;
    Ok(format!("{namespace}/{name}"))
}

/// Removes one slash from each end.
fn strip(name: &str) -> &str {
    let name = name.strip_prefix('/').unwrap_or(name);
    name.strip_suffix('/').unwrap_or(name)
}

/// Source: <https://design.ros2.org/articles/topic_and_service_names.html>.
pub(super) fn check(name: &str) -> Result<(), NameError> {
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if name.split('/').all(is_part) {
        return Ok(());
    }
    let name = name.to_owned();
    Err(NameError::Name { name })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Frame, Text};

    #[test]
    fn keys_of_our_topics() {
        let key = TopicKey::of::<Frame>(3, "camera/front/image").unwrap();
        assert_eq!(
            key.to_string(),
            "3/camera/front/image/sensor_msgs::msg::dds_::Image_/\
             RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"
        );
        assert_eq!(
            key.any_hash(),
            "3/camera/front/image/sensor_msgs::msg::dds_::Image_/*"
        );
        let humble = key.without_hash();
        assert!(humble.to_string().ends_with("Image_/TypeHashNotSupported"));
        assert_eq!(humble.to_string().parse(), Ok(humble));
    }

    #[test]
    fn refuses_names_that_zenoh_or_ros_would_not_take() {
        for topic in [
            "", "/", "a//b", "a/*", "1a", "a/$b", "a b", "a#", "é", "**", "//a",
        ] {
            let error = TopicKey::of::<Text>(0, topic).unwrap_err();
            assert!(matches!(error, NameError::Name { .. }), "{topic}");
        }
    }

    #[test]
    fn refuses_keys_that_are_not_topics() {
        for key in [
            "",
            "0",
            "0/a",
            "0/a/std_msgs::msg::dds_::String_",
            "0/a/b/c",
            "x/a/std_msgs::msg::dds_::String_/h",
            "-1/a/std_msgs::msg::dds_::String_/h",
            "0/a/std_msgs::msg::dds_::String_/",
            "0//a/std_msgs::msg::dds_::String_/h",
            "0/std_msgs::msg::dds_::String_/h",
        ] {
            assert!(key.parse::<TopicKey>().is_err(), "{key}");
        }
    }
}
