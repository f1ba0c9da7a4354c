#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn losses(reference: impl Fn(usize) -> f32, candidate: impl Fn(usize) -> f32) -> Losses {
    Losses {
        objective: "o".to_owned(),
        weight: 1.0,
        reference: (0..64).map(reference).collect(),
        candidate: (0..64).map(candidate).collect(),
    }
}

fn noisy(level: f32) -> impl Fn(usize) -> f32 {
    move |i| level + 0.3 * ((i * 7919) % 13) as f32 / 13.0
}

fn evidence(losses: Losses) -> Evidence {
    Evidence {
        losses: vec![losses],
        shift: Some(Shift::default()),
        drift: Some(Shift::default()),
    }
}

fn rejection(evidence: &Evidence) -> Option<Rejection> {
    judge(&GateConfig::default(), evidence).rejection
}

#[test]
fn identical_weights_are_not_better() {
    let same = evidence(losses(noisy(1.0), noisy(1.0)));
    let judgement = judge(&GateConfig::default(), &same);
    assert_eq!(judgement.rejection, Some(Rejection::NotBetter));
    assert_eq!(judgement.verdict(), Verdict::RejectedLoss);
    assert_eq!(judgement.gain, 0.0);
}

#[test]
fn a_clear_gain_is_accepted_with_its_numbers() {
    let better = evidence(losses(noisy(1.0), noisy(0.9)));
    let judgement = judge(&GateConfig::default(), &better);
    assert_eq!(judgement.verdict(), Verdict::Accepted);
    assert!((judgement.reference_loss - judgement.candidate_loss - 0.1).abs() < 1e-5);
    assert!(judgement.p < 0.001 && judgement.windows == 64);
    assert!(
        judgement.reason.contains("64 windows"),
        "{}",
        judgement.reason
    );
}

#[test]
fn a_gain_of_one_lucky_stretch_is_chance() {
    let lucky = evidence(losses(noisy(1.0), |i| {
        noisy(1.0)(i) - if i < 8 { 0.6 } else { -0.01 }
    }));
    assert_eq!(rejection(&lucky), Some(Rejection::NotBetter));
}

#[test]
fn a_better_loss_does_not_buy_a_jump_of_actions() {
    let shift = |max, mean, flips| Some(Shift { max, mean, flips });
    for (change, expected) in [
        (shift(0.6, 0.01, 0.0), Some(Rejection::Shift)),
        (shift(0.1, 0.06, 0.0), Some(Rejection::Shift)),
        (shift(0.1, 0.01, 0.2), Some(Rejection::Shift)),
        (shift(0.4, 0.04, 0.04), None),
        (None, Some(Rejection::NonFinite)),
    ] {
        let mut better = evidence(losses(noisy(1.0), noisy(0.5)));
        better.shift = change;
        assert_eq!(rejection(&better), expected, "{change:?}");
    }
}

#[test]
fn small_steps_do_not_add_up_to_a_large_one() {
    let mut better = evidence(losses(noisy(1.0), noisy(0.5)));
    better.drift = Some(Shift {
        max: 1.2,
        mean: 0.01,
        flips: 0.0,
    });
    assert_eq!(rejection(&better), Some(Rejection::Drift));
    assert_eq!(
        judge(&GateConfig::default(), &better).verdict(),
        Verdict::RejectedTrust
    );
}

#[test]
fn what_is_not_finite_is_rejected() {
    let broken = evidence(losses(noisy(1.0), |i| if i == 40 { f32::NAN } else { 0.1 }));
    assert_eq!(rejection(&broken), Some(Rejection::NonFinite));
    let broken = evidence(losses(|_| f32::INFINITY, noisy(1.0)));
    let judgement = judge(&GateConfig::default(), &broken);
    assert_eq!(judgement.rejection, Some(Rejection::ReferenceNonFinite));
    assert_eq!(judgement.verdict(), Verdict::RejectedNonFinite);
}

#[test]
fn no_objective_may_pay_for_another() {
    let mut mixed = evidence(losses(noisy(1.0), noisy(0.5)));
    let mut worse = losses(noisy(1.0), noisy(1.1));
    worse.weight = 0.2;
    mixed.losses.push(worse);
    assert_eq!(rejection(&mixed), Some(Rejection::Regression));
}

#[test]
fn too_little_evidence_is_no_evidence() {
    let mut little = evidence(losses(noisy(1.0), noisy(0.5)));
    little.losses[0].reference.truncate(1);
    assert_eq!(rejection(&little), Some(Rejection::TooFewWindows));
    little.losses.clear();
    assert_eq!(rejection(&little), Some(Rejection::TooFewWindows));
}

#[test]
fn the_least_gain_is_a_setting() {
    let better = evidence(losses(noisy(1.0), noisy(0.99)));
    let config = GateConfig {
        min_gain: 0.05,
        ..GateConfig::default()
    };
    assert_eq!(rejection(&better), None);
    assert_eq!(
        judge(&config, &better).rejection,
        Some(Rejection::NotBetter)
    );
}
