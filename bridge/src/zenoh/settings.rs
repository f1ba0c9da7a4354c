//! From a [`SessionConfig`] to the settings of the network layer.

use std::str::FromStr as _;

use zenoh::config::EndPoint;

use crate::{BridgeError, SessionConfig, SessionMode};

/// Settings that differ from zenoh's own, as paths and JSON, and why.
const SETTINGS: [(&str, &str); 6] = [
    // Either end may be restarted: the other must find it again within about a second.
    (
        "connect/retry",
        r#"{"period_init_ms": 100, "period_max_ms": 1000, "period_increase_factor": 2}"#,
    ),
    // A peer whose cable was pulled is given up after this [ms]; a killed one at once.
    ("transport/link/tx/lease", "3000"),
    ("transport/unicast/open_timeout", "5000"),
    // A link that takes nothing for this long [us] is closed, so that no sender of an event is
    // stuck longer behind a peer that is stopped in a debugger.
    (
        "transport/link/tx/queue/congestion_control/block/wait_before_close",
        "2000000",
    ),
    // Batches of 64 KiB: one large camera image must fit, or it would be dropped half sent.
    ("transport/link/tx/queue/size/data", "16"),
    ("transport/link/rx/max_message_size", MAX_MESSAGE_BYTES),
];

/// Where a peer listens that was told nothing: a port of the system's choice, for processes on this
/// machine. Peers tell each other where they are, so that whoever connects to one reaches all.
const PRIVATE: &str = "tcp/127.0.0.1:0";

/// Largest message taken off the wire: an image of the largest size and its header. (A string,
/// since the settings are; the test compares it with the limit of the codec.)
const MAX_MESSAGE_BYTES: &str = "67174400";

/// The network layer's settings for a session.
pub(super) fn settings(config: &SessionConfig) -> Result<zenoh::Config, BridgeError> {
    config.validate()?;
    check_endpoints("connect", &config.connect)?;
    check_endpoints("listen", &config.listen)?;
    let mut settings = match &config.config_file {
        Some(path) => zenoh::Config::from_file(path).map_err(|source| BridgeError::Setting {
            what: "config_file",
            found: path.display().to_string(),
            advice: source.to_string(),
        })?,
        None => own_settings(config)?,
    };
    let from_file = config.config_file.is_some();
    let mut listen = config.listen.clone();
    if !from_file && listen.is_empty() && config.mode == SessionMode::Peer {
        // zenoh's own default would listen on all interfaces.
        listen.push(PRIVATE.to_owned());
    }
    for (path, endpoints) in [
        ("connect/endpoints", &config.connect),
        ("listen/endpoints", &listen),
    ] {
        if !endpoints.is_empty() {
            insert(&mut settings, path, &json_list(endpoints))?;
        }
    }
    Ok(settings)
}

fn own_settings(config: &SessionConfig) -> Result<zenoh::Config, BridgeError> {
    let mut settings = zenoh::Config::default();
    let mode = match config.mode {
        SessionMode::Peer => r#""peer""#,
        SessionMode::Client => r#""client""#,
    };
    insert(&mut settings, "mode", mode)?;
    let scouting = if config.scouting { "true" } else { "false" };
    insert(&mut settings, "scouting/multicast/enabled", scouting)?;
    for (path, value) in SETTINGS {
        insert(&mut settings, path, value)?;
    }
    Ok(settings)
}

fn insert(settings: &mut zenoh::Config, path: &str, value: &str) -> Result<(), BridgeError> {
    settings
        .insert_json5(path, value)
        .map_err(|source| BridgeError::Setting {
            what: "zenoh setting",
            found: format!("{path}: {value}"),
            advice: source.to_string(),
        })
}

fn check_endpoints(what: &'static str, endpoints: &[String]) -> Result<(), BridgeError> {
    for endpoint in endpoints {
        EndPoint::from_str(endpoint).map_err(|source| BridgeError::Setting {
            what,
            found: endpoint.clone(),
            advice: format!(
                "{source}; write it as tcp/<host>:<port>, for example tcp/127.0.0.1:7447"
            ),
        })?;
    }
    Ok(())
}

/// A JSON list of endpoints. They have been parsed, but may hold quotes in their metadata.
fn json_list(endpoints: &[String]) -> String {
    let quoted: Vec<_> = endpoints
        .iter()
        .map(|endpoint| {
            format!(
                "\"{}\"",
                endpoint.replace('\\', "\\\\").replace('"', "\\\"")
            )
        })
        .collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use cerebellum_messages::limits::MAX_IMAGE_BYTES;

    use super::*;

    #[test]
    fn every_setting_is_one_that_zenoh_knows() {
        let settings = settings(&SessionConfig::local_world()).unwrap();
        let lease = settings.get_json("transport/link/tx/lease").unwrap();
        assert_eq!(lease, "3000");
        let scouting = settings.get_json("scouting/multicast/enabled").unwrap();
        assert_eq!(scouting, "false");
        let listen = settings.get_json("listen/endpoints").unwrap();
        assert!(listen.contains("tcp/127.0.0.1:7447"), "{listen}");
        let connect = settings.get_json("connect/endpoints").unwrap();
        assert_eq!(connect, "[]");
    }

    #[test]
    fn a_peer_listens_on_no_interface_that_it_was_not_told_of() {
        let settings = settings(&SessionConfig::local_runtime()).unwrap();
        let listen = settings.get_json("listen/endpoints").unwrap();
        assert_eq!(listen, format!("[{PRIVATE:?}]"));
    }

    #[test]
    fn the_largest_image_fits_a_message() {
        let largest: usize = MAX_MESSAGE_BYTES.parse().unwrap();
        assert_eq!(largest, MAX_IMAGE_BYTES + (64 << 10));
    }

    #[test]
    fn a_wrong_endpoint_is_named() {
        let config = SessionConfig {
            connect: vec!["127.0.0.1:7447".to_owned()],
            ..SessionConfig::default()
        };
        let error = settings(&config).unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:7447"), "{error}");
        assert!(error.contains("tcp/<host>:<port>"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let config = SessionConfig {
            config_file: Some("/nowhere/zenoh.json5".into()),
            ..SessionConfig::default()
        };
        let error = settings(&config).unwrap_err().to_string();
        assert!(error.contains("/nowhere/zenoh.json5"), "{error}");
    }

    #[test]
    fn a_file_decides_and_endpoints_are_added() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("zenoh.json5");
        std::fs::write(
            &path,
            r#"{mode: "client", connect: {endpoints: ["tcp/a:1"]}}"#,
        )
        .unwrap();
        let mut config = SessionConfig {
            config_file: Some(path),
            ..SessionConfig::default()
        };
        let from_file = settings(&config).unwrap();
        assert_eq!(from_file.get_json("mode").unwrap(), r#""client""#);
        assert!(
            from_file
                .get_json("connect/endpoints")
                .unwrap()
                .contains("tcp/a:1")
        );
        config.connect = vec!["tcp/b:2".to_owned()];
        let replaced = settings(&config).unwrap();
        assert!(
            replaced
                .get_json("connect/endpoints")
                .unwrap()
                .contains("tcp/b:2")
        );
    }
}
