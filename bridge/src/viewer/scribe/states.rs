//! States, and lines for a person.

use cerebellum_messages::{
    EpisodePhase, EpisodeStatus, LearnerReport, RuntimeState, RuntimeStatus, Verdict,
};
use rerun::{StateChange, TextLog, TextLogLevel};

use super::{Scribe, Written, path};

impl Scribe {
    /// How the runtime is: its state, generation and counts.
    pub(super) fn status(&mut self, status: &RuntimeStatus) -> Written {
        let state = state_name(status.state);
        let changed = self.state(path::STATE, state)?;
        if changed && !status.detail.is_empty() {
            self.line(&format!("{state}: {}", status.detail))?;
        }
        let counts = [
            ("generation", status.generation as f64),
            ("missed", status.missed as f64),
            ("limited", status.limited as f64),
            ("slack_us", f64::from(status.slack_us)),
        ];
        for (name, value) in counts {
            self.scalar(path::RUNTIME, name, value)?;
        }
        Ok(())
    }

    /// Where an episode stands.
    pub(super) fn episode(&mut self, status: &EpisodeStatus) -> Written {
        let phase = match status.phase {
            EpisodePhase::Running => "running",
            EpisodePhase::Succeeded => "succeeded",
            EpisodePhase::Failed => "failed",
            EpisodePhase::Refused => "refused",
        };
        let EpisodeStatus {
            episode,
            task,
            ticks,
            instruction,
            detail,
            ..
        } = status;
        // The number keeps two episodes apart that end alike.
        if self.state(path::EPISODE, &format!("{episode} {task} {phase}"))? {
            let line = format!(
                "episode {episode} ({task}) {phase} at tick {ticks}: {instruction} {detail}"
            );
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// An update of the learner, or its verdict on a candidate.
    pub(super) fn learner(&mut self, report: &LearnerReport) -> Written {
        let objective = &report.objective;
        self.scalar(path::LEARNER_LOSS, objective, f64::from(report.loss))?;
        self.scalar(
            path::LEARNER_GRADIENT,
            objective,
            f64::from(report.grad_norm),
        )?;
        let gate = [
            ("reference_loss", f64::from(report.reference_loss)),
            ("candidate_loss", f64::from(report.candidate_loss)),
            ("action_shift", f64::from(report.action_shift)),
            ("generation", report.generation as f64),
        ];
        for (name, value) in gate {
            self.scalar(path::LEARNER_GATE, name, value)?;
        }
        let verdict = match report.verdict {
            Verdict::None => return Ok(()),
            Verdict::Accepted => "accepted",
            Verdict::RejectedLoss => "rejected: loss not better",
            Verdict::RejectedTrust => "rejected: actions left the trust region",
            Verdict::RejectedNonFinite => "rejected: not finite",
            Verdict::RolledBack => "rolled back",
        };
        self.state(path::VERDICT, verdict)?;
        let LearnerReport {
            update,
            generation,
            reference_loss,
            candidate_loss,
            ..
        } = report;
        self.line(&format!(
            "update {update}: candidate {verdict} (held-back loss {candidate_loss}, generation \
             {generation} has {reference_loss})"
        ))
    }

    /// A line for a person.
    pub(super) fn line(&mut self, text: &str) -> Written {
        let line = TextLog::new(text).with_level(TextLogLevel::INFO);
        self.stream.log(path::LOG, &line)
    }

    /// Writes a state if it is not the last one written; whether it was.
    fn state(&mut self, entity: &str, state: &str) -> rerun::RecordingStreamResult<bool> {
        if self.states.get(entity).is_some_and(|last| last == state) {
            return Ok(false);
        }
        self.states.insert(entity.to_owned(), state.to_owned());
        self.stream.log(entity, &StateChange::single(state))?;
        Ok(true)
    }
}

fn state_name(state: RuntimeState) -> &'static str {
    match state {
        RuntimeState::Waiting => "waiting",
        RuntimeState::Running => "running",
        RuntimeState::Starved => "starved",
        RuntimeState::Stale => "stale",
        RuntimeState::PeerLost => "peer lost",
        RuntimeState::PolicyFault => "policy fault",
        RuntimeState::Watchdog => "watchdog",
        RuntimeState::Stopping => "stopping",
    }
}
