//! Liveliness tokens: how a node, publisher or subscriber shows that it exists.

use std::fmt;
use std::str::FromStr;

use xxhash_rust::const_xxh3::xxh3_128;

use super::{Gid, NameError, Qos, TopicKey, key};

/// First part of all tokens.
const SPACE: &str = "@ros2_lv";

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// A node.
    Node,
    /// A publisher.
    Publisher,
    /// A subscriber.
    Subscriber,
    /// A service.
    Service,
    /// A client of a service.
    Client,
}

impl EntityKind {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Publisher,
        Self::Subscriber,
        Self::Service,
        Self::Client,
    ];

    const fn code(self) -> &'static str {
        match self {
            Self::Node => "NN",
            Self::Publisher => "MP",
            Self::Subscriber => "MS",
            Self::Service => "SS",
            Self::Client => "SC",
        }
    }
}

/// The topic or service of an entity that is not a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Topic with its namespace and a leading slash, for example `/camera/front/image`.
    pub topic: String,
    /// Type as DDS calls it.
    pub dds_type: String,
    /// Type hash.
    pub hash: String,
    /// Quality of service.
    pub qos: Qos,
}

impl Endpoint {
    /// The end of a topic with the given key.
    pub fn new(key: &TopicKey, qos: Qos) -> Self {
        Self {
            topic: format!("/{}", key.topic),
            dds_type: key.dds_type.clone(),
            hash: key.hash.clone(),
            qos,
        }
    }
}

/// A node, publisher, subscriber, service or client. Its text is its liveliness token:
///
/// `@ros2_lv/<domain>/<session>/<node id>/<id>/<kind>/<enclave>/<namespace>/<node>`, followed for
/// all but nodes by `/<topic>/<type>/<hash>/<qos>`, with slashes inside parts written as `%`.
///
/// ```
/// use cerebellum_messages::rmw::{Entity, EntityKind};
///
/// let node = Entity::node(0, "aac3178e146ba6f1fc6e6a4085e77f21", 0, "", "listener")?;
/// let token = "@ros2_lv/0/aac3178e146ba6f1fc6e6a4085e77f21/0/0/NN/%/%/listener";
/// assert_eq!(node.to_string(), token);
/// assert_eq!(token.parse(), Ok(node));
/// # Ok::<(), cerebellum_messages::rmw::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entity {
    /// ROS domain.
    pub domain: u32,
    /// Identifier of the zenoh session as zenoh prints it: hexadecimal, no leading zeros.
    pub session: String,
    /// Number of the node in the session.
    pub node_id: u64,
    /// Number of the entity in the session; a node's own number is its `node_id`.
    pub id: u64,
    /// What it is.
    pub kind: EntityKind,
    /// Security enclave; `/` if there is none.
    pub enclave: String,
    /// Namespace with a leading slash; `/` if there is none.
    pub namespace: String,
    /// Name of the node.
    pub node: String,
    /// Topic or service; `None` for a node.
    pub endpoint: Option<Endpoint>,
}

impl Entity {
    /// A node. Slashes around the namespace do not matter.
    ///
    /// # Errors
    /// The name or namespace breaks the rules for ROS 2 names.
    pub fn node(
        domain: u32,
        session: &str,
        node_id: u64,
        namespace: &str,
        name: &str,
    ) -> Result<Self, NameError> {
        let namespace = namespace.trim_matches('/');
        if !namespace.is_empty() {
            key::check(namespace)?;
        }
        key::check(name)?;
        if name.contains('/') {
            let name = name.to_owned();
            return Err(NameError::Name { name });
        }
        Ok(Self {
            domain,
            session: session.to_owned(),
            node_id,
            id: node_id,
            kind: EntityKind::Node,
            enclave: "/".to_owned(),
            namespace: format!("/{namespace}"),
            node: name.to_owned(),
            endpoint: None,
        })
    }

    /// A publisher or subscriber of this node; `id` is unique in the session.
    #[must_use]
    pub fn endpoint(&self, id: u64, kind: EntityKind, key: &TopicKey, qos: Qos) -> Self {
        Self {
            id,
            kind,
            endpoint: (kind != EntityKind::Node).then(|| Endpoint::new(key, qos)),
            ..self.clone()
        }
    }

    /// The identifier of the entity in attachments: the 128-bit XXH3 of its token, as ROS 2
    /// computes it, so that `ros2 topic info --verbose` and the samples agree.
    pub fn gid(&self) -> Gid {
        // Low half first, each half little endian: the number as a whole, little endian.
        xxh3_128(self.to_string().as_bytes()).to_le_bytes()
    }

    /// A key expression that matches the tokens of all entities of a domain.
    pub fn all(domain: u32) -> String {
        format!("{SPACE}/{domain}/**")
    }
}

/// A part with its slashes as `%`; nothing becomes `%`, because a key must not have empty parts.
struct Mangled<'a>(&'a str);

impl fmt::Display for Mangled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("%");
        }
        let mut parts = self.0.split('/');
        f.write_str(parts.next().unwrap_or_default())?;
        for part in parts {
            write!(f, "%{part}")?;
        }
        Ok(())
    }
}

fn demangle(part: &str) -> String {
    part.replace('%', "/")
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SPACE}/{}/{}/{}/{}/{}/{}/{}/{}",
            self.domain,
            self.session,
            self.node_id,
            self.id,
            self.kind.code(),
            Mangled(&self.enclave),
            Mangled(&self.namespace),
            Mangled(&self.node),
        )?;
        let Some(endpoint) = &self.endpoint else {
            return Ok(());
        };
        write!(
            f,
            "/{}/{}/{}/{}",
            Mangled(&endpoint.topic),
            Mangled(&endpoint.dds_type),
            Mangled(&endpoint.hash),
            endpoint.qos,
        )
    }
}

impl FromStr for Entity {
    type Err = NameError;

    /// Parts after the quality of service, which later releases of ROS 2 may add, are read over.
    fn from_str(token: &str) -> Result<Self, NameError> {
        let missing = |part| NameError::Key {
            key: token.to_owned(),
            kind: "liveliness token",
            part,
        };
        let mut parts = token.split('/');
        let mut next = |part| {
            let found = parts.next().filter(|found| !found.is_empty());
            found.ok_or_else(|| missing(part))
        };
        if next("@ros2_lv")? != SPACE {
            return Err(missing("@ros2_lv"));
        }
        let domain = next("domain")?.parse().map_err(|_| missing("domain"))?;
        let session = next("session")?.to_owned();
        let node_id = next("node id")?.parse().map_err(|_| missing("node id"))?;
        let id = next("id")?.parse().map_err(|_| missing("id"))?;
        let code = next("kind")?;
        let kind = EntityKind::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or_else(|| missing("kind"))?;
        let enclave = demangle(next("enclave")?);
        let namespace = demangle(next("namespace")?);
        let node = demangle(next("node")?);
        let endpoint = match kind {
            EntityKind::Node => None,
            _ => Some(Endpoint {
                topic: demangle(next("topic")?),
                dds_type: demangle(next("type")?),
                hash: demangle(next("hash")?),
                qos: next("quality of service")?.parse()?,
            }),
        };
        Ok(Self {
            domain,
            session,
            node_id,
            id,
            kind,
            enclave,
            namespace,
            node,
            endpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Text;

    const SESSION: &str = "8b20917502ee955ac4476e0266340d5c";
    /// From the design document of `rmw_zenoh`.
    const TALKER: &str = "@ros2_lv/0/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%/talker/%chatter/\
        std_msgs::msg::dds_::String_/\
        RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18/::,7:,:,:,,";

    #[test]
    fn token_of_a_publisher() {
        let node = Entity::node(0, SESSION, 0, "/", "talker").unwrap();
        let key = TopicKey::of::<Text>(0, "chatter").unwrap();
        let talker = node.endpoint(10, EntityKind::Publisher, &key, Qos::topic(7));
        assert_eq!(talker.to_string(), TALKER);
        assert_eq!(TALKER.parse(), Ok(talker));
    }

    #[test]
    fn slashes_are_mangled() {
        let node = Entity::node(1, SESSION, 2, "/fleet/robot1/", "cerebellum").unwrap();
        assert_eq!(node.namespace, "/fleet/robot1");
        assert!(node.to_string().ends_with("/%/%fleet%robot1/cerebellum"));
        assert_eq!(node.to_string().parse(), Ok(node.clone()));
        let key = TopicKey::of::<Text>(1, "fleet/robot1/goal/text").unwrap();
        let token = node
            .endpoint(3, EntityKind::Subscriber, &key, Qos::default())
            .to_string();
        assert!(token.contains("/MS/%/%fleet%robot1/cerebellum/%fleet%robot1%goal%text/"));
        assert_eq!(token.parse::<Entity>().unwrap().to_string(), token);
    }

    #[test]
    fn later_parts_are_read_over() {
        let talker: Entity = TALKER.parse().unwrap();
        assert_eq!(format!("{TALKER}/cpu").parse(), Ok(talker));
    }

    #[test]
    fn refuses_what_is_not_a_token() {
        let parts: Vec<_> = TALKER.split('/').collect();
        for count in 0..parts.len() {
            assert!(parts[..count].join("/").parse::<Entity>().is_err());
        }
        assert!(TALKER.replace("/MP/", "/XX/").parse::<Entity>().is_err());
        assert!(TALKER.replace("/10/", "/x/").parse::<Entity>().is_err());
        assert!(TALKER.replace("/%/", "//").parse::<Entity>().is_err());
        assert!(Entity::node(0, SESSION, 0, "", "a/b").is_err());
        assert!(Entity::node(0, SESSION, 0, "1", "a").is_err());
    }

    #[test]
    fn gids_differ_and_stay() {
        let talker: Entity = TALKER.parse().unwrap();
        assert_eq!(talker.gid(), talker.clone().gid());
        let other = Entity {
            id: 11,
            ..talker.clone()
        };
        assert_ne!(talker.gid(), other.gid());
    }
}
