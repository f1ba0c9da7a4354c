//! How a process enters the network.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::BridgeError;

/// Where the two ends of a one-machine set-up meet: the world listens, the runtime connects.
pub const LOCAL_ENDPOINT: &str = "tcp/127.0.0.1:7447";

/// Role of the process in the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionMode {
    /// Talks to other peers directly. Peers tell each other where the others are, so that a process
    /// that connects to one of them reaches all. Either end may start first: a peer keeps trying.
    #[default]
    Peer,
    /// Talks through a router (`zenohd`), which must be up when the session opens. For robots and
    /// hosts that cannot reach each other directly.
    Client,
}

/// How a process enters the network and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SessionConfig {
    /// Role in the network.
    pub mode: SessionMode,
    /// Endpoints to connect to, for example `tcp/192.168.1.5:7447`.
    pub connect: Vec<String>,
    /// Endpoints to listen on, for example `tcp/127.0.0.1:7447`. A peer without any listens on a
    /// port of the system's choice on this machine only.
    pub listen: Vec<String>,
    /// Whether to look for peers by multicast on the local network. Off by default: on a shared
    /// network it would find other people's robots.
    pub scouting: bool,
    /// ROS domain (`ROS_DOMAIN_ID`), 0 to 232.
    pub domain: u32,
    /// ROS namespace of all topics, without outer slashes; empty for none.
    pub namespace: String,
    /// ROS name of this process's node.
    pub node: String,
    /// A zenoh configuration file (JSON5). It then decides everything, TLS and access control
    /// included; of the fields above, `connect` and `listen` replace the file's if not empty, and
    /// `mode` and `scouting` are ignored.
    pub config_file: Option<PathBuf>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            mode: SessionMode::Peer,
            connect: Vec::new(),
            listen: Vec::new(),
            scouting: false,
            domain: 0,
            namespace: String::new(),
            node: "cerebellum".to_owned(),
            config_file: None,
        }
    }
}

/// A loopback endpoint that nobody listens on right now, for two ends on this machine that are to
/// meet apart from all others.
///
/// # Errors
/// If the system has no port left.
pub fn free_endpoint() -> std::io::Result<String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    Ok(format!("tcp/{}", listener.local_addr()?))
}

/// Largest domain that ROS 2 can map to ports.
const MAX_DOMAIN: u32 = 232;

impl SessionConfig {
    /// The end of a one-machine set-up that listens on [`LOCAL_ENDPOINT`]: the world.
    pub fn local_world() -> Self {
        Self {
            listen: vec![LOCAL_ENDPOINT.to_owned()],
            node: "world".to_owned(),
            ..Self::default()
        }
    }

    /// The end of a one-machine set-up that connects to [`LOCAL_ENDPOINT`]: the runtime.
    pub fn local_runtime() -> Self {
        Self {
            connect: vec![LOCAL_ENDPOINT.to_owned()],
            ..Self::default()
        }
    }

    /// Checks what can be checked without a network.
    ///
    /// # Errors
    /// Names the setting that cannot be used and what to write instead.
    pub fn validate(&self) -> Result<(), BridgeError> {
        let refuse = |what, found: &str, advice: &str| {
            Err(BridgeError::Setting {
                what,
                found: found.to_owned(),
                advice: advice.to_owned(),
            })
        };
        if self.domain > MAX_DOMAIN {
            let found = self.domain.to_string();
            return refuse("domain", &found, "ROS domains are 0 to 232");
        }
        if !is_name(&self.node) {
            let advice = "use letters, digits and `_`, not a digit first";
            return refuse("node", &self.node, advice);
        }
        let namespace = &self.namespace;
        if !namespace.is_empty() && !namespace.split('/').all(is_name) {
            let advice = "write names of letters, digits and `_`, joined by `/`, without outer `/`";
            return refuse("namespace", namespace, advice);
        }
        let reachable = self.scouting
            || self.config_file.is_some()
            || !self.connect.is_empty()
            || !self.listen.is_empty();
        if !reachable {
            let advice = "nobody could be reached: name an endpoint in `connect` or `listen` \
                          (for one machine tcp/127.0.0.1:7447), or turn `scouting` on";
            return refuse("connect", "[]", advice);
        }
        let client_alone =
            self.mode == SessionMode::Client && self.connect.is_empty() && !self.scouting;
        if client_alone && self.config_file.is_none() {
            let advice = "a client needs the endpoint of its router in `connect`";
            return refuse("connect", "[]", advice);
        }
        Ok(())
    }
}

/// Whether ROS takes the word as one part of a name.
pub(crate) fn is_name(word: &str) -> bool {
    let mut chars = word.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_presets_are_valid() {
        assert!(SessionConfig::local_world().validate().is_ok());
        assert!(SessionConfig::local_runtime().validate().is_ok());
    }

    #[test]
    fn a_session_that_could_reach_nobody_is_refused() {
        assert!(SessionConfig::default().validate().is_err());
    }

    #[test]
    fn names_that_would_break_a_key_are_refused() {
        let bad = ["", "a b", "1a", "a/b", "a*", "a$", "@x"];
        for node in bad {
            let config = SessionConfig {
                node: node.to_owned(),
                ..SessionConfig::local_world()
            };
            assert!(config.validate().is_err(), "{node}");
        }
        for (namespace, good) in [("lab/arm_1", true), ("/lab", false), ("lab//arm", false)] {
            let config = SessionConfig {
                namespace: namespace.to_owned(),
                ..SessionConfig::local_world()
            };
            assert_eq!(config.validate().is_ok(), good, "{namespace}");
        }
    }

    #[test]
    fn a_client_needs_a_router() {
        let config = SessionConfig {
            mode: SessionMode::Client,
            ..SessionConfig::local_world()
        };
        assert!(config.validate().is_err());
    }
}
