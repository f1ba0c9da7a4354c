//! The ROS node as which a session appears.

use cerebellum_messages::Message;
use cerebellum_messages::rmw::{
    Entity, EntityKind, Qos as Quality, Reliability, TopicKey, qualify,
};

use crate::zenoh::Qos;
use crate::{BridgeError, SessionConfig};

/// The node of a session: knows how its topics are called in the network.
#[derive(Clone, Debug)]
pub(super) struct Node {
    entity: Entity,
}

impl Node {
    pub(super) fn new(config: &SessionConfig, session: &str) -> Result<Self, BridgeError> {
        let SessionConfig {
            domain,
            namespace,
            node,
            ..
        } = config;
        let entity = Entity::node(*domain, session, 0, namespace, node)?;
        Ok(Self { entity })
    }

    /// What announces the node.
    pub(super) fn token(&self) -> String {
        self.entity.to_string()
    }

    /// The key of a topic in the node's domain and namespace.
    pub(super) fn topic<M: Message>(&self, topic: &str) -> Result<TopicKey, BridgeError> {
        let qualified = qualify(&self.entity.namespace, topic)?;
        Ok(TopicKey::of::<M>(self.entity.domain, &qualified)?)
    }

    /// A publisher or subscriber of the node.
    pub(super) fn endpoint(&self, id: u64, kind: EntityKind, key: &TopicKey, qos: Qos) -> Entity {
        let quality = Quality {
            reliability: match qos.reliable {
                true => Reliability::Reliable,
                false => Reliability::BestEffort,
            },
            ..Quality::topic(u64::from(qos.depth))
        };
        self.entity.endpoint(id, kind, key, quality)
    }

    /// Matches the tokens of all publishers of a topic, whatever its type.
    pub(super) fn publishers_of(&self, topic: &str) -> Result<String, BridgeError> {
        let Entity {
            domain, namespace, ..
        } = &self.entity;
        let topic = qualify(namespace, topic)?.replace('/', "%");
        Ok(format!("@ros2_lv/{domain}/*/*/*/MP/*/*/*/%{topic}/**"))
    }
}

/// Matches a topic whatever the type that its sender names, so that a sender of another type is
/// told apart from none.
pub(super) fn any_type(key: &TopicKey) -> String {
    format!("{}/{}/*/*", key.domain, key.topic)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use cerebellum_messages::{ClockKind, JointState};
    use zenoh::key_expr::keyexpr;

    use super::*;
    use crate::zenoh::Stream;

    const SESSION: &str = "aac3178e146ba6f1fc6e6a4085e77f21";

    fn node(namespace: &str) -> Node {
        let config = SessionConfig {
            domain: 3,
            namespace: namespace.to_owned(),
            ..SessionConfig::local_runtime()
        };
        Node::new(&config, SESSION).unwrap()
    }

    #[test]
    fn subscriptions_match_publications_and_nothing_below() {
        let node = node("");
        let key = node.topic::<JointState>("goal").unwrap();
        let pattern = any_type(&key);
        let pattern = keyexpr::new(&pattern).unwrap();
        let key = key.to_string();
        assert!(pattern.includes(keyexpr::new(&key).unwrap()));
        let below = node.topic::<JointState>("goal/text").unwrap().to_string();
        assert!(!pattern.intersects(keyexpr::new(&below).unwrap()));
    }

    #[test]
    fn announcements_of_publishers_are_found_by_topic() {
        for namespace in ["", "lab/arm"] {
            let node = node(namespace);
            let key = node.topic::<JointState>("joint_states").unwrap();
            let qos = Stream::State.qos(ClockKind::RealTime);
            let token = node
                .endpoint(4, EntityKind::Publisher, &key, qos)
                .to_string();
            let token = keyexpr::new(&token).unwrap();
            let pattern = node.publishers_of("joint_states").unwrap();
            assert!(keyexpr::new(&pattern).unwrap().includes(token), "{pattern}");
            let other = node.publishers_of("clock").unwrap();
            assert!(!keyexpr::new(&other).unwrap().intersects(token));
        }
    }

    #[test]
    fn topics_that_are_no_names_are_refused() {
        assert!(node("").topic::<JointState>("joint states").is_err());
        assert!(node("").publishers_of("*").is_err());
    }
}
