//! Whether a candidate may replace the generation in force.
//!
//! A candidate is accepted only if all of these hold, checked in this order:
//!
//! 1. its weights, losses and actions are finite;
//! 2. its actions on a fixed set of probe moments and on the held-back windows stay inside a trust
//!    region around the generation in force, and on the probe moments inside a wider one around
//!    the generation trained offline, so that many small steps cannot add up to a large one;
//! 3. no objective's held-back loss is worse by more than a small share;
//! 4. the held-back loss is better by more than chance: the paired test of [`super::paired_test`]
//!    on the relative gains
//!
//! ```text
//! d_i = Σ_o w_o (L_ref[o, i] − L_cand[o, i]) / mean_i |L_ref[o, i]|,    Σ_o w_o = 1
//! ```
//!
//! gives `p ≤ 1 − confidence`, and their mean is at least `min_gain`.

use cerebellum_messages::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{positive, within};
use super::error::LearnerError;
use super::paired::paired_test;
use super::shift::Shift;

/// When a candidate becomes the next generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateConfig {
    /// Most held-back windows that a candidate is judged on. 64 by default.
    pub windows: u32,
    /// Consecutive blocks that the windows are averaged in before the test, at least 2; a block
    /// should be longer than the experience is alike. 8 by default.
    pub blocks: u32,
    /// Confidence that the candidate is better, in [0.5, 1). 0.95 by default.
    pub confidence: f64,
    /// Least mean gain, relative to the loss of the generation in force. 0 by default.
    pub min_gain: f64,
    /// Largest share by which the loss of any one objective may be worse. 0.02 by default.
    pub max_regression: f64,
    /// Ticks of new experience before the next candidate is judged: judging again and again on
    /// the same windows would find a lucky candidate in the end. 100 by default.
    pub fresh_ticks: u32,
    /// Largest change of actions against the generation in force.
    pub trust: TrustRegion,
    /// Largest change of actions against the generation trained offline.
    pub drift: TrustRegion,
    /// Moments in the fixed probe set. 16 by default.
    pub probes: u32,
    /// Moments per evaluation, which is what one micro-step of judging costs. 8 by default.
    pub evaluation_batch: u32,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self {
            windows: 64,
            blocks: 8,
            confidence: 0.95,
            min_gain: 0.0,
            max_regression: 0.02,
            fresh_ticks: 100,
            trust: TrustRegion {
                max: 0.5,
                mean: 0.05,
                flips: 0.05,
            },
            drift: TrustRegion {
                max: 1.0,
                mean: 0.15,
                flips: 0.15,
            },
            probes: 16,
            evaluation_batch: 8,
        }
    }
}

/// Bounds on a change of actions. Changes are relative to half of an action's range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustRegion {
    /// Largest change of any number.
    pub max: f32,
    /// Largest mean change.
    pub mean: f32,
    /// Largest share of gripper commands that change between open and closed.
    pub flips: f32,
}

impl TrustRegion {
    /// The bound that `shift` exceeds, if it does: its name, what was found and the bound.
    fn exceeded(&self, shift: &Shift) -> Option<(&'static str, f32, f32)> {
        [
            ("largest", shift.max, self.max),
            ("mean", shift.mean, self.mean),
            ("gripper", shift.flips, self.flips),
        ]
        .into_iter()
        .find(|(_, found, bound)| found > bound)
    }
}

impl GateConfig {
    pub(super) fn validate(&self) -> Result<(), LearnerError> {
        positive("gate.windows", self.windows)?;
        positive("gate.probes", self.probes)?;
        positive("gate.evaluation_batch", self.evaluation_batch)?;
        within("gate.blocks", f64::from(self.blocks), 2.0, 1e6)?;
        within("gate.confidence", self.confidence, 0.5, 1.0 - 1e-9)?;
        within("gate.min_gain", self.min_gain, 0.0, 1.0)?;
        within("gate.max_regression", self.max_regression, 0.0, 1e3)
    }
}

/// Losses of both sides on the same windows, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The objective.
    pub objective: String,
    /// Its weight among the objectives.
    pub weight: f64,
    /// Losses of the generation in force.
    pub reference: Vec<f32>,
    /// Losses of the candidate.
    pub candidate: Vec<f32>,
}

/// All that a judgement rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Held-back losses, one entry per objective, each over the same windows.
    pub losses: Vec<Losses>,
    /// Change of actions against the generation in force; `None` if it could not be measured.
    pub shift: Option<Shift>,
    /// Change of actions against the generation trained offline; `None` as above.
    pub drift: Option<Shift>,
}

/// Why a candidate was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// Not better by more than chance.
    NotBetter,
    /// One objective became worse.
    Regression,
    /// Too few held-back windows for a test.
    TooFewWindows,
    /// The model could not be evaluated.
    NotEvaluated,
    /// Its actions are too far from those of the generation in force.
    Shift,
    /// Its actions are too far from those of the generation trained offline.
    Drift,
    /// Its weights, losses or actions are not finite or cannot be compared.
    NonFinite,
    /// The losses of the generation in force are not finite: it is the one to doubt.
    ReferenceNonFinite,
}

impl Rejection {
    /// The word that reports use.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::NotBetter | Self::Regression | Self::TooFewWindows | Self::NotEvaluated => {
                Verdict::RejectedLoss
            }
            Self::Shift | Self::Drift => Verdict::RejectedTrust,
            Self::NonFinite | Self::ReferenceNonFinite => Verdict::RejectedNonFinite,
        }
    }
}

/// What became of a candidate, with the numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// `None` if it was accepted.
    pub rejection: Option<Rejection>,
    /// One line with the numbers that decided.
    pub reason: String,
    /// Windows judged on.
    pub windows: usize,
    /// Weighted mean loss of the generation in force.
    pub reference_loss: f64,
    /// Weighted mean loss of the candidate.
    pub candidate_loss: f64,
    /// Mean relative gain.
    pub gain: f64,
    /// Probability of such a gain by chance; NaN if there was no test.
    pub p: f64,
    /// Change of actions against the generation in force.
    pub shift: Option<Shift>,
    /// Change of actions against the generation trained offline.
    pub drift: Option<Shift>,
}

impl Judgement {
    /// A rejection before anything could be compared.
    pub fn without_evidence(rejection: Rejection, reason: String) -> Self {
        Self {
            rejection: Some(rejection),
            reason,
            windows: 0,
            reference_loss: f64::NAN,
            candidate_loss: f64::NAN,
            gain: f64::NAN,
            p: f64::NAN,
            shift: None,
            drift: None,
        }
    }

    /// The word that reports use.
    pub fn verdict(&self) -> Verdict {
        self.rejection.map_or(Verdict::Accepted, Rejection::verdict)
    }
}

/// Judges a candidate.
pub fn judge(config: &GateConfig, evidence: &Evidence) -> Judgement {
    let gains = relative_gains(&evidence.losses);
    let test = paired_test(&gains, config.blocks as usize);
    let mut judgement = Judgement {
        rejection: None,
        reason: String::new(),
        windows: gains.len(),
        reference_loss: weighted_mean(&evidence.losses, |losses| &losses.reference),
        candidate_loss: weighted_mean(&evidence.losses, |losses| &losses.candidate),
        gain: gains.iter().sum::<f64>() / gains.len().max(1) as f64,
        p: test.map_or(f64::NAN, |test| test.p),
        shift: evidence.shift,
        drift: evidence.drift,
    };
    let (rejection, reason) = match decide(config, evidence, &judgement) {
        Ok(reason) => (None, reason),
        Err((rejection, reason)) => (Some(rejection), reason),
    };
    judgement.rejection = rejection;
    judgement.reason = reason;
    judgement
}

fn decide(
    config: &GateConfig,
    evidence: &Evidence,
    found: &Judgement,
) -> Result<String, (Rejection, String)> {
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    for losses in &evidence.losses {
        if !finite(&losses.reference) {
            let reason = format!(
                "loss `{}` of the generation in force is not finite",
                losses.objective
            );
            return Err((Rejection::ReferenceNonFinite, reason));
        }
        if !finite(&losses.candidate) {
            let reason = format!("loss `{}` is not finite", losses.objective);
            return Err((Rejection::NonFinite, reason));
        }
    }
    for (region, change, rejection, against) in [
        (&config.trust, &evidence.shift, Rejection::Shift, "in force"),
        (
            &config.drift,
            &evidence.drift,
            Rejection::Drift,
            "trained offline",
        ),
    ] {
        let Some(change) = change else {
            let reason =
                format!("actions cannot be compared with those of the generation {against}");
            return Err((Rejection::NonFinite, reason));
        };
        if let Some((name, value, bound)) = region.exceeded(change) {
            let reason = format!(
                "{name} change of actions against the generation {against} is {value:.4}, allowed is {bound:.4}"
            );
            return Err((rejection, reason));
        }
    }
    if found.p.is_nan() {
        let reason = format!("{} windows are too few for a test", found.windows);
        return Err((Rejection::TooFewWindows, reason));
    }
    for losses in &evidence.losses {
        let reference = mean(&losses.reference);
        let regression = (mean(&losses.candidate) - reference) / scale(reference);
        if regression > config.max_regression {
            let reason = format!(
                "loss `{}` is worse by {:.2} %, allowed is {:.2} %",
                losses.objective,
                regression * 100.0,
                config.max_regression * 100.0
            );
            return Err((Rejection::Regression, reason));
        }
    }
    let numbers = format!(
        "gain {:.3} %, p {:.4} on {} windows",
        found.gain * 100.0,
        found.p,
        found.windows
    );
    if found.p > 1.0 - config.confidence || found.gain < config.min_gain || found.gain <= 0.0 {
        return Err((Rejection::NotBetter, numbers));
    }
    Ok(numbers)
}

/// Per window, the weighted relative gain of the candidate over the reference. Windows that any
/// side of any objective lacks are left out.
pub fn relative_gains(losses: &[Losses]) -> Vec<f64> {
    let windows = losses
        .iter()
        .map(|losses| losses.reference.len().min(losses.candidate.len()))
        .min()
        .unwrap_or(0);
    let total = total_weight(losses);
    let mut gains = vec![0.0; windows];
    for entry in losses {
        let factor = entry.weight / total / scale(mean(&entry.reference));
        for ((gain, reference), candidate) in
            gains.iter_mut().zip(&entry.reference).zip(&entry.candidate)
        {
            *gain += factor * (f64::from(*reference) - f64::from(*candidate));
        }
    }
    gains
}

fn weighted_mean(losses: &[Losses], side: impl Fn(&Losses) -> &Vec<f32>) -> f64 {
    let total = total_weight(losses);
    losses
        .iter()
        .map(|entry| entry.weight / total * mean(side(entry)))
        .sum()
}

fn total_weight(losses: &[Losses]) -> f64 {
    let total: f64 = losses.iter().map(|entry| entry.weight).sum();
    if total > 0.0 { total } else { 1.0 }
}

/// What a loss is relative to: its size, or one where it is zero.
fn scale(mean: f64) -> f64 {
    if mean.abs() > 0.0 { mean.abs() } else { 1.0 }
}

fn mean(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value)).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
