//! Tests of the whole: see `tests/`. The library holds what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod network;

pub use network::{Raw, Watch, until};

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The program, built beside the tests.
///
/// # Panics
/// If it is not built.
pub fn program() -> PathBuf {
    let mut folder = std::env::current_exe().expect("the test has a path");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let program = folder.join("cerebellum");
    assert!(
        program.exists(),
        "{} is not built: run the tests with --workspace",
        program.display()
    );
    program
}

/// A call of the program that logs little.
pub fn cerebellum(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .env("RUST_LOG", "error")
        .env("CEREBELLUM_ASSETS", root().join("assets"));
    command
}

/// A running program that is killed when the test is over.
pub struct Running(pub Child);

impl Running {
    /// Starts it in the background.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(cerebellum(arguments).stderr(Stdio::null()))
    }

    /// Starts it in the background and keeps what it logs, warnings and notes, in a file.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_logging(arguments: &[&str], log: &Path) -> Self {
        let file = std::fs::File::create(log).expect("the log can be written");
        let mut command = cerebellum(arguments);
        command.env("RUST_LOG", "warn,cerebellum=info").stderr(file);
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::null()).spawn();
        Self(child.expect("the program starts"))
    }

    /// Asks it to end in order.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn terminate(&self) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status();
        assert!(status.expect("a signal can be sent").success());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub fn wait(&mut self, patience: Duration) -> std::process::ExitStatus {
        let end = Instant::now() + patience;
        loop {
            if let Some(status) = self.0.try_wait().expect("the program can be waited for") {
                return status;
            }
            assert!(
                Instant::now() < end,
                "the program did not end within {patience:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A loopback endpoint that nobody listens on.
///
/// # Panics
/// If there is none.
pub fn free_endpoint() -> String {
    cerebellum_bridge::free_endpoint().expect("a loopback port")
}
