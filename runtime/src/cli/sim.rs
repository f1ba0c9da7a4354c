//! `cerebellum sim`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cerebellum_bridge::{Counters, SessionConfig};

use super::args::SimArgs;
use super::exit::{ExitStatus, Failure};
use super::interrupt;
use crate::run::world::WorldServer;

/// Serves the embedded world until Ctrl-C or the last episode.
///
/// # Errors
/// If the network cannot be entered.
pub fn sim(args: &SimArgs) -> Result<ExitStatus, Failure> {
    let stop = interrupt::flag()?;
    let mut session = super::run::network(
        SessionConfig {
            node: "world".to_owned(),
            ..SessionConfig::default()
        },
        &args.network,
    );
    if session.connect.is_empty() && session.listen.is_empty() {
        session.listen = SessionConfig::local_world().listen;
    }
    let place = format!(
        "listening on {:?}, connecting to {:?}",
        session.listen, session.connect
    );
    let mut server = WorldServer::open(session, &Counters::new(), std::sync::Arc::clone(&stop))
        .map_err(Failure::peer)?;
    println!(
        "the world is served ({place}); drive it with `cerebellum run --world zenoh`; Ctrl-C ends it"
    );
    let served = server.served();
    if let Some(last) = args.episodes {
        let (stop, served) = (std::sync::Arc::clone(&stop), std::sync::Arc::clone(&served));
        std::thread::Builder::new()
            .name("count".to_owned())
            .spawn(move || {
                while served.load(Ordering::Acquire) < last {
                    std::thread::sleep(Duration::from_millis(50));
                }
                // The last status is to be heard before the world goes.
                std::thread::sleep(Duration::from_secs(1));
                stop.store(true, Ordering::Release);
            })?;
    }
    server.serve().map_err(Failure::peer)?;
    println!("{} episodes served", served.load(Ordering::Acquire));
    Ok(ExitStatus::Success)
}
