//! Demonstrations of the scripted experts, made in parallel and kept on disk.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, bail};
use cerebellum_policies::hilp::inputs::tracked_state;
use cerebellum_policies::mdt::inputs::proprioception;
use cerebellum_policies::training::trajectory::CameraTrack;
use cerebellum_policies::training::{DemoDataset, Trajectory};
use cerebellum_sim::{
    CameraConfig, Demonstration, Disturbance, EpisodeConfig, Outcome, Split, Task, demonstrate,
    play,
};
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Name of the file that says what a folder of demonstrations was made with.
const MANIFEST: &str = "manifest.json";
/// Demonstrations in a block: made together, written, then the next. Bounds memory.
const BLOCK: usize = 64;

/// What a folder of demonstrations holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoPlan {
    /// Tasks, in turn.
    pub tasks: Vec<String>,
    /// Demonstrations per task.
    pub per_task: usize,
    /// First seed of the training split.
    pub seed: u64,
    /// Whether the executed actions are disturbed, so that there are recoveries to learn from.
    pub disturbed: bool,
    /// Ticks of play without a task, instead of demonstrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play: Option<usize>,
    /// Rows and columns of the pictures, 0 for none; as the policy that is shipped sees by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cameras: Option<u32>,
    /// Whether a tracking system reports the thing that the task is about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tracked: bool,
}

impl DemoPlan {
    fn total(&self) -> usize {
        self.tasks.len() * self.per_task
    }

    fn config(&self, index: usize) -> anyhow::Result<EpisodeConfig> {
        let task: Task = self.tasks[index % self.tasks.len()].parse()?;
        let round = (index / self.tasks.len()) as u64;
        Ok(EpisodeConfig::new(
            task,
            Split::Train,
            self.seed.wrapping_add(round),
        ))
    }

    fn record(&self, index: usize) -> anyhow::Result<Demonstration> {
        let mut config = self.config(index)?;
        if let Some(side) = self.cameras {
            config.cameras = match side {
                0 => Vec::new(),
                side => CameraConfig::both(side).to_vec(),
            };
        }
        config.tracked = self.tracked;
        Ok(match self.play {
            Some(ticks) => play(&config, ticks)?,
            None => demonstrate(&config, &self.disturbance(index))?,
        })
    }

    const fn disturbance(&self, index: usize) -> Disturbance {
        // Every fourth stays clean, so that the undisturbed way is seen too.
        if self.disturbed && !index.is_multiple_of(4) {
            Disturbance::MILD
        } else {
            Disturbance::NONE
        }
    }
}

/// Makes what is missing of `plan` in `folder` and reads all of it. Failed demonstrations are left
/// out and counted. May be stopped and started again at any time.
///
/// # Errors
/// If the folder holds demonstrations of another plan, a file cannot be written, or `stop` is set.
pub fn prepare(
    folder: &Path,
    plan: &DemoPlan,
    stop: &AtomicBool,
    bar: &ProgressBar,
) -> anyhow::Result<DemoDataset> {
    if plan.tasks.is_empty() || plan.per_task == 0 {
        bail!("no demonstrations are asked for: name tasks and a number above 0");
    }
    check_manifest(folder, plan)?;
    let failed = AtomicU64::new(0);
    bar.set_length(plan.total() as u64);
    for begin in (0..plan.total()).step_by(BLOCK) {
        let end = (begin + BLOCK).min(plan.total());
        (begin..end).into_par_iter().try_for_each(|index| {
            let marker = folder.join(format!("failed-{index:06}"));
            if !path_of(folder, index).exists() && !marker.exists() {
                if stop.load(Ordering::Relaxed) {
                    bail!("stopped; what is made so far is kept");
                }
                let demonstration = plan.record(index)?;
                if plan.play.is_some() || demonstration.outcome == Outcome::Succeeded {
                    DemoDataset::store(folder, index, &trajectory(&demonstration)?)?;
                } else {
                    std::fs::write(&marker, b"")?;
                }
            }
            failed.fetch_add(u64::from(marker.exists()), Ordering::Relaxed);
            bar.inc(1);
            Ok(())
        })?;
    }
    let failed = failed.load(Ordering::Relaxed);
    if failed > 0 {
        tracing::info!(
            "{failed} of {} demonstrations failed and are left out",
            plan.total()
        );
    }
    Ok(DemoDataset::load(folder)?)
}

/// What a policy learns from a demonstration.
///
/// # Errors
/// If the robot's joints are not those that the proprioception vector is made of.
pub fn trajectory(demonstration: &Demonstration) -> anyhow::Result<Trajectory> {
    let mut cameras: Vec<CameraTrack> = demonstration
        .config
        .cameras
        .iter()
        .map(|camera| CameraTrack {
            name: camera.view.name().to_owned(),
            size: camera.width as usize,
            frames: Vec::new(),
        })
        .collect();
    let (mut states, mut actions) = (Vec::new(), Vec::new());
    for step in &demonstration.steps {
        let observation = &step.observation;
        let tcp = observation.tcp.context("the simulator gave no tool pose")?;
        if demonstration.config.tracked {
            states.extend(tracked_state(observation)?);
        } else {
            states.extend(proprioception(&observation.joints, &tcp)?);
        }
        actions.extend(step.action);
        for track in &mut cameras {
            let frame = observation
                .frame(&track.name)
                .context("the simulator gave no picture")?;
            track.frames.extend_from_slice(&frame.data);
        }
    }
    Ok(Trajectory {
        task: demonstration.config.task.name().to_owned(),
        instruction: demonstration.instruction.clone(),
        cameras,
        proprioception: states,
        actions,
        action_dim: cerebellum_messages::TCP_DELTA_DIM,
    })
}

fn path_of(folder: &Path, index: usize) -> PathBuf {
    folder.join(format!("demonstration-{index:06}.safetensors"))
}

fn check_manifest(folder: &Path, plan: &DemoPlan) -> anyhow::Result<()> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return crate::report::write_json(&path, plan)
            .with_context(|| format!("{} cannot be written", path.display()));
    }
    let text =
        std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let found: DemoPlan =
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    // More of the same may be added.
    let same = DemoPlan {
        per_task: plan.per_task,
        ..found.clone()
    };
    if same != *plan {
        bail!(
            "{} holds demonstrations of another plan ({found:?}, asked for {plan:?}): choose another folder or delete it",
            folder.display()
        );
    }
    Ok(())
}
