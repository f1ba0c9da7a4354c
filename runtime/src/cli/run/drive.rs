//! The turn of a run, whoever owns time: hear the world and whoever has a goal, ask for episodes, tell
//! the loop.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use cerebellum_bridge::Alarm;
use cerebellum_bridge::viewer::{Event, Moment};
use cerebellum_bridge::zenoh::RobotLink;
use cerebellum_messages::{Goal, GoalSpec, Stamp};
use indicatif::ProgressBar;

use super::Job;
use crate::cli::exit::Failure;
use crate::run::harness::{Harness, HarnessEvent};
use crate::run::settings::WorldKind;

/// After this long without a word from the world, a person is told what is waited for.
const QUIET: Duration = Duration::from_secs(5);
/// At most one note of goals from the network per this long.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// What the drive asks of a loop.
pub enum Driven {
    /// Follow a goal; the stamp at which a world was reset for it.
    Goal(Goal, Option<Stamp>),
    /// Follow none.
    Clear,
    /// Nothing happened.
    Idle,
}

impl Job<'_> {
    /// Runs the episodes, or a robot until it is told to stop.
    pub(super) fn drive(
        &self,
        link: &RobotLink,
        harness: &mut Harness,
        mut act: impl FnMut(Driven),
        ended: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let on_robot = self.settings.world.kind == WorldKind::Robot;
        let limit = self
            .args
            .duration
            .map(Duration::from_secs_f64)
            .filter(|_| on_robot);
        let bar = if on_robot {
            ProgressBar::hidden()
        } else {
            crate::cli::progress_bar("episodes", "{pos}/{len} {elapsed} {msg}")
        };
        bar.set_length(harness.progress().1 as u64);
        let mut quiet = Some(begun);
        let told = Alarm::every(TELL_EVERY);
        if let Some(text) = self.args.goal.as_ref().filter(|_| on_robot) {
            act(Driven::Goal(
                Goal {
                    id: 1,
                    spec: GoalSpec::Language { text: text.clone() },
                },
                None,
            ));
        }
        while !self.stop.load(Ordering::Relaxed)
            && !ended()
            && limit.is_none_or(|limit| begun.elapsed() < limit)
        {
            while let Some(received) = link.episodes().try_receive() {
                quiet = None;
                self.viewer
                    .offer(Moment::default(), Event::Episode(received.message.clone()));
                let event = harness.on_status(&received.message, begun.elapsed());
                self.follow(event, &bar, &mut act)?;
            }
            if let Some(goal) = link.take_goal() {
                if let Some(held_back) = told.ring() {
                    tracing::info!(held_back, "goal {} from the network", goal.id);
                }
                act(Driven::Goal(goal, None));
            }
            if !on_robot {
                if harness.finished() {
                    break;
                }
                let (request, event) = harness.poll(begun.elapsed());
                self.follow(event, &bar, &mut act)?;
                if let Some(request) = request {
                    link.requests().offer(&request);
                }
                bar.set_position(harness.progress().0 as u64);
                if quiet.is_some_and(|since| since.elapsed() > QUIET) {
                    quiet = None;
                    tracing::warn!(
                        "no world answers: start one with `cerebellum sim`, or check `--connect`; still asking"
                    );
                }
            }
            act(Driven::Idle);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn follow(
        &self,
        event: Option<HarnessEvent>,
        bar: &ProgressBar,
        act: &mut impl FnMut(Driven),
    ) -> Result<(), Failure> {
        match event {
            None => {}
            Some(HarnessEvent::Began { goal, stamp }) => {
                if let GoalSpec::Language { text } = &goal.spec {
                    bar.set_message(text.clone());
                }
                act(Driven::Goal(goal, Some(stamp)));
            }
            Some(HarnessEvent::Ended {
                task,
                success,
                ticks,
            }) => {
                bar.println(format!(
                    "{task:<16} {} after {ticks} ticks",
                    if success { "succeeded" } else { "failed   " }
                ));
                act(Driven::Clear);
            }
            Some(HarnessEvent::WorldLost) => {
                tracing::warn!(
                    "the world fell silent: the robot is held, the episode is asked for again"
                );
                act(Driven::Clear);
            }
            Some(HarnessEvent::Refused(reason)) => {
                return Err(Failure::peer(anyhow!(
                    "the world refuses the episode: {reason}"
                )));
            }
        }
        Ok(())
    }
}
