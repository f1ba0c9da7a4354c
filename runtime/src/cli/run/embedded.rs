//! The embedded world beside the runtime, in a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "sim")]
use anyhow::Context as _;
#[cfg(feature = "sim")]
use cerebellum_bridge::free_endpoint;
use cerebellum_bridge::{Counters, SessionConfig};

/// Ends the embedded world with the run.
pub struct WorldGuard {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for WorldGuard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the embedded world panicked");
        }
    }
}

/// Starts the embedded world on a port of its own and points `session` to it.
///
/// # Errors
/// If there is no port, or the world cannot be made.
#[cfg(feature = "sim")]
pub fn embed(
    session: &mut SessionConfig,
    counters: &Counters,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<WorldGuard> {
    let endpoint = free_endpoint().context("no loopback port is to be had")?;
    let world = SessionConfig {
        listen: vec![endpoint.clone()],
        connect: Vec::new(),
        node: "world".to_owned(),
        ..session.clone()
    };
    // Where the runtime itself listens, so that others may look on, stays as it was told.
    session.connect = vec![endpoint];
    let mut server = crate::run::world::WorldServer::open(world, counters, Arc::clone(&stop))?;
    let thread = std::thread::Builder::new()
        .name("world".to_owned())
        .spawn(move || {
            if let Err(error) = server.serve() {
                tracing::error!("the embedded world ended: {error}");
            }
        })?;
    Ok(WorldGuard {
        stop,
        thread: Some(thread),
    })
}

/// There is no world in this build.
///
/// # Errors
/// Always.
#[cfg(not(feature = "sim"))]
pub fn embed(
    _: &mut SessionConfig,
    _: &Counters,
    _: Arc<AtomicBool>,
) -> anyhow::Result<WorldGuard> {
    Err(anyhow::anyhow!(
        "this build has no embedded world: use `--world zenoh` or `--world robot`, or build with `--features sim`"
    ))
}
