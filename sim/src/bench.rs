//! How fast the world runs on this machine.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::render::Renderer;
use crate::view::nominal_camera;
use crate::{
    CameraConfig, Disturbance, Episode, EpisodeConfig, SUBSTEPS, SimError, Split, Task, View,
    demonstrate,
};

/// What [`bench()`] measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchConfig {
    /// About how long each measurement takes.
    pub span: Duration,
    /// Sides of the square pictures (pixels).
    pub sides: Vec<u32>,
}

impl Default for BenchConfig {
    /// A second for each, pictures of 64, 96, 128 and 224 pixels.
    fn default() -> Self {
        Self {
            span: Duration::from_secs(1),
            sides: vec![64, 96, 128, 224],
        }
    }
}

/// Rates on one core. Where the system tells how much of the core this thread had, the rates are
/// per second of that; otherwise per second of the wall clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// Whether the rates are per second of processor time.
    pub processor_time: bool,
    /// Physics steps per second.
    pub physics_steps: f64,
    /// Simulated seconds per second without pictures.
    pub real_time_factor: f64,
    /// Pictures per second.
    pub pictures: Vec<PictureRate>,
    /// Cost of demonstrations, mean over all tasks.
    pub demonstrations: Vec<DemonstrationCost>,
}

/// Pictures of one size and view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureRate {
    /// Camera.
    pub camera: String,
    /// Side (pixels).
    pub side: u32,
    /// Pictures per second.
    pub per_second: f64,
}

/// Demonstrations with pictures of one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DemonstrationCost {
    /// Side of both cameras' pictures (pixels); zero for none.
    pub side: u32,
    /// Seconds per demonstration.
    pub seconds: f64,
    /// Ticks per demonstration.
    pub ticks: f64,
}

/// Measures the world on one core of this machine.
///
/// # Errors
/// A side is zero or too large, or an episode fails to run.
pub fn bench(config: &BenchConfig) -> Result<BenchReport, SimError> {
    let nothing = EpisodeConfig::new(Task::Stack, Split::Train, 0).blind();
    let mut episode = Episode::new(&nothing)?;
    let clock = Stopwatch::start();
    let mut ticks = 0_u32;
    while clock.wall() < config.span {
        if episode.outcome().is_over() {
            episode = Episode::new(&nothing)?;
        }
        let targets = *episode.commanded();
        episode.step(&targets)?;
        ticks += 1;
    }
    let seconds = clock.seconds();
    let rate = f64::from(ticks) / seconds;

    let mut pictures = Vec::new();
    for side in &config.sides {
        for view in [View::Front, View::Wrist] {
            pictures.push(picture_rate(&episode, view, *side, config.span)?);
        }
    }
    let mut demonstrations = vec![demonstration_cost(0)?];
    for side in &config.sides {
        demonstrations.push(demonstration_cost(*side)?);
    }
    Ok(BenchReport {
        processor_time: clock.processor.is_some(),
        physics_steps: rate * f64::from(SUBSTEPS),
        real_time_factor: rate / 20.0,
        pictures,
        demonstrations,
    })
}

fn picture_rate(
    episode: &Episode,
    view: View,
    side: u32,
    span: Duration,
) -> Result<PictureRate, SimError> {
    let scene = episode.scene();
    let mut camera = nominal_camera(view, &episode.tool());
    (camera.width, camera.height) = (side, side);
    let failed = |source| SimError::Camera {
        camera: view.name().to_owned(),
        source,
    };
    let mut renderer = Renderer::new();
    let mut image = vec![0; camera.image_len()];
    let clock = Stopwatch::start();
    let mut count = 0_u32;
    while clock.wall() < span {
        renderer
            .render(&scene, &camera, &mut image)
            .map_err(failed)?;
        count += 1;
    }
    Ok(PictureRate {
        camera: view.name().to_owned(),
        side,
        per_second: f64::from(count) / clock.seconds(),
    })
}

fn demonstration_cost(side: u32) -> Result<DemonstrationCost, SimError> {
    let clock = Stopwatch::start();
    let mut ticks = 0;
    for task in Task::ALL {
        let mut config = EpisodeConfig::new(task, Split::Train, 0).blind();
        if side > 0 {
            config.cameras = CameraConfig::both(side).to_vec();
        }
        ticks += demonstrate(&config, &Disturbance::NONE)?.steps.len();
    }
    let count = Task::ALL.len() as f64;
    Ok(DemonstrationCost {
        side,
        seconds: clock.seconds() / count,
        ticks: ticks as f64 / count,
    })
}

/// Wall time, and the time that this thread had a core.
struct Stopwatch {
    started: Instant,
    processor: Option<f64>,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            started: Instant::now(),
            processor: processor_seconds(),
        }
    }
    fn wall(&self) -> Duration {
        self.started.elapsed()
    }
    fn seconds(&self) -> f64 {
        let processor = processor_seconds().zip(self.processor);
        let spent = processor.map(|(now, then)| now - then);
        // The kernel's figure may lag; never divide by zero.
        spent
            .filter(|spent| *spent > 0.0)
            .unwrap_or_else(|| self.wall().as_secs_f64())
            .max(1e-9)
    }
}

/// Seconds that this thread had a core, where Linux tells.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    Some(nanos * 1e-9)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_short_bench_gives_rates() {
        let config = BenchConfig {
            span: Duration::from_millis(20),
            sides: vec![16],
        };
        let report = bench(&config).unwrap();
        assert!(report.physics_steps > 0.0 && report.real_time_factor > 0.0);
        assert_eq!(report.pictures.len(), 2);
        assert_eq!(report.demonstrations.len(), 2);
        assert!(report.demonstrations.iter().all(|cost| cost.ticks > 10.0));
    }

    #[test]
    fn impossible_pictures_are_an_error() {
        let config = BenchConfig {
            span: Duration::from_millis(1),
            sides: vec![0],
        };
        assert!(matches!(bench(&config), Err(SimError::Camera { .. })));
    }
}
