//! What the inference and learner threads are connected to.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use cerebellum_bridge::sync::Queue;
use cerebellum_bridge::viewer::{Event, Moment, ViewerTap};
use cerebellum_bridge::zenoh::RobotLink;
use cerebellum_bridge::{Alarm, Counter, Counters};
use cerebellum_messages::{ActionChunk, LearnerReport};
use cerebellum_policies::policy::Plan;

use super::recorder::scalar;
use crate::control::{ChunkSender, Signals};
use crate::inference::{ChunkSink, InferenceEvent, InferenceTap, WarmupReport};
use crate::learner::{ExperienceSource, Feedback, FeedbackSource, Record, ReportSink};

/// At most one warning per kind of fault and this long.
const WARN_EVERY: Duration = Duration::from_secs(5);

/// Chunks, into the control thread's ring.
pub struct Chunks(pub ChunkSender);

impl ChunkSink for Chunks {
    fn deliver(&mut self, chunk: &ActionChunk) -> bool {
        match self.0.send(chunk) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("a chunk was not taken: {error}");
                false
            }
        }
    }
}

/// Shows what the policy thinks and passes on what becomes of generations.
pub struct PolicyTap {
    /// The network.
    pub link: Arc<RobotLink>,
    /// Pictures.
    pub viewer: ViewerTap,
    /// Flags for the control thread.
    pub signals: Arc<Signals>,
    /// Words for the learner.
    pub feedback: Queue<Feedback>,
    /// Plans that failed.
    pub faults: FaultLog,
}

impl InferenceTap for PolicyTap {
    fn plan(&mut self, plan: &Plan) {
        self.signals.set_policy_fault(false);
        self.link.chunks().offer(&plan.chunk);
        for latent in &plan.latents {
            self.link.latents().offer(latent);
        }
        show_plan(&self.viewer, plan);
    }

    fn event(&mut self, event: &InferenceEvent) {
        match event {
            InferenceEvent::Swapped { from, to } => {
                tracing::info!("generation {to} is in force, was {from}");
            }
            InferenceEvent::LoadRefused { generation, reason } => {
                tracing::warn!("generation {generation} was refused: {reason}");
            }
            InferenceEvent::TakenBack {
                from, to, reason, ..
            } => {
                tracing::warn!("generation {from} was taken back to {to}: {reason}");
                self.signals.withdraw(Some(*from));
            }
            InferenceEvent::Faulted { name, reason, .. } => {
                self.faults.note(name, reason);
                self.signals.set_policy_fault(true);
            }
        }
        if let Some((generation, reason)) = event.condemned() {
            self.feedback.send(Feedback::Condemned {
                generation,
                reason: reason.to_owned(),
            });
        }
    }

    fn warmed_up(&mut self, report: &WarmupReport) {
        match &report.stopped_by {
            None => tracing::info!(
                "warm: first plan {:.0} ms, then {:.1} ms",
                report.first.as_secs_f64() * 1e3,
                report.last.as_secs_f64() * 1e3
            ),
            Some(reason) => tracing::warn!("the warm-up ended early: {reason}"),
        }
    }
}

/// Counts faults and tells a person of each kind now and then: a fault may come with every plan.
pub struct FaultLog {
    counters: Counters,
    kinds: BTreeMap<&'static str, (Counter, Alarm)>,
}

impl FaultLog {
    /// Counts `dropped.plans.<name>`.
    pub fn new(counters: &Counters) -> Self {
        Self {
            counters: counters.clone(),
            kinds: BTreeMap::new(),
        }
    }

    /// Notes a fault by its [`InferenceFault::name`](crate::inference::InferenceFault::name).
    pub fn note(&mut self, name: &'static str, reason: &dyn Display) {
        let (count, alarm) = self.kinds.entry(name).or_insert_with(|| {
            let count = self.counters.dropped("plans", name);
            (count, Alarm::every(WARN_EVERY))
        });
        count.increment();
        if let Some(held_back) = alarm.ring() {
            tracing::warn!(held_back, "no plan, the robot is held: {reason}");
        }
    }
}

/// Shows a plan, its latents and what it cost.
pub fn show_plan(viewer: &ViewerTap, plan: &Plan) {
    if !viewer.is_open() {
        return;
    }
    let moment = Moment::new(plan.chunk.observed, plan.chunk.stamp);
    let ms = (plan.encode + plan.refine).as_secs_f64() * 1e3;
    viewer.offer(moment, scalar("inference/ms", ms));
    viewer.offer(
        moment,
        scalar(
            "inference/denoise_steps",
            f64::from(plan.chunk.denoise_steps),
        ),
    );
    viewer.offer(moment, Event::Chunk(plan.chunk.clone()));
    for latent in &plan.latents {
        viewer.offer(moment, Event::Latent(latent.clone()));
    }
}

/// Experience, from the recorder's queue.
pub struct Experiences(pub Queue<Record>);

impl ExperienceSource for Experiences {
    fn next(&mut self) -> Option<Record> {
        self.0.try_receive()
    }
    fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

/// Words for the learner, from a queue.
pub struct Feedbacks(pub Queue<Feedback>);

impl FeedbackSource for Feedbacks {
    fn next(&mut self) -> Option<Feedback> {
        self.0.try_receive()
    }
}

/// Reports, to the network and the viewer.
pub struct Reports {
    /// The network.
    pub link: Arc<RobotLink>,
    /// Pictures.
    pub viewer: ViewerTap,
}

impl ReportSink for Reports {
    fn report(&mut self, report: LearnerReport) {
        self.link.reports().offer(&report);
        self.viewer.offer(Moment::default(), Event::Learner(report));
    }
}
