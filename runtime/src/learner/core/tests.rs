#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use super::*;
use crate::inference::testing::spec;
use crate::learner::testing::{LinearModel, config, gain_of, record};
use crate::learner::{Judgement, Rejection};

fn core_of(model: LinearModel, config: LearnerConfig, seed: u64) -> (LearnerCore, WeightSlot) {
    let slot = WeightSlot::new();
    let core = LearnerCore::new(Box::new(model), &spec(), &[], config, slot.clone(), seed);
    (core.unwrap(), slot)
}

/// Lives through ticks with three micro-steps each.
fn live(core: &mut LearnerCore, ticks: std::ops::Range<u64>, truth: f64) -> Vec<MicroStep> {
    ticks
        .flat_map(|tick| {
            core.record(record(tick, truth));
            (0..3).map(|_| core.micro_step()).collect::<Vec<_>>()
        })
        .collect()
}

fn judgements(steps: &[MicroStep]) -> Vec<&Judgement> {
    steps
        .iter()
        .filter_map(|step| match &step.did {
            Did::Judge(judgement) => Some(judgement.as_ref()),
            _ => None,
        })
        .collect()
}

#[test]
fn it_learns_what_the_world_shows_and_publishes_it() {
    let (mut core, slot) = core_of(LinearModel::new(1.0), config(None), 1);
    let steps = live(&mut core, 0..900, 1.3);
    let stats = core.stats();
    assert!(stats.accepted >= 1, "{stats:?}");
    let published = slot.take().unwrap();
    assert_eq!(published.generation, core.generation());
    let gain = gain_of(&published);
    assert!((gain - 1.3).abs() < (1.0f32 - 1.3).abs() / 2.0, "{gain}");
    assert_eq!(stats.taken_back, 0);
    // Reports count updates and tell the verdicts.
    let reports: Vec<_> = steps
        .iter()
        .filter_map(|step| step.report.as_ref())
        .collect();
    let accepted = reports
        .iter()
        .filter(|report| report.verdict == Verdict::Accepted)
        .count();
    assert_eq!(accepted as u64, stats.accepted);
    let updates = reports
        .iter()
        .filter(|report| report.verdict == Verdict::None)
        .count();
    assert_eq!(updates as u64, stats.updates);
    for judgement in judgements(&steps) {
        if judgement.rejection.is_none() {
            assert!(judgement.candidate_loss < judgement.reference_loss);
        }
    }
}

#[test]
fn what_has_not_changed_is_not_published() {
    let mut model = LinearModel::new(1.0);
    model.rate = 0.0;
    let (mut core, slot) = core_of(model, config(None), 1);
    let steps = live(&mut core, 0..400, 1.3);
    let judged = judgements(&steps);
    assert!(judged.len() > 3);
    assert!(
        judged
            .iter()
            .all(|j| j.rejection == Some(Rejection::NotBetter))
    );
    assert_eq!(slot.take(), None);
    assert!(core.stats().restored > 0, "patience ends");
}

#[test]
fn a_jump_of_actions_is_rejected_however_much_better_the_loss() {
    let mut model = LinearModel::new(1.0);
    model.rate = 0.2;
    let (mut core, slot) = core_of(model, config(None), 1);
    let steps = live(&mut core, 0..400, 9.0);
    let judged = judgements(&steps);
    assert!(!judged.is_empty());
    for judgement in judged {
        assert_eq!(judgement.rejection, Some(Rejection::Shift));
        assert!(judgement.candidate_loss < judgement.reference_loss);
    }
    assert_eq!(slot.take(), None);
}

#[test]
fn many_small_steps_stay_within_the_wider_region() {
    let mut model = LinearModel::new(1.0);
    model.rate = 0.004;
    let mut config = config(None);
    config.gate.drift.mean = 0.1;
    let (mut core, _) = core_of(model, config, 1);
    let steps = live(&mut core, 0..4000, 3.0);
    assert!(core.stats().accepted >= 2, "{:?}", core.stats());
    assert!(
        core.stats().rejected.contains_key(&Rejection::Drift),
        "{:?}",
        core.stats()
    );
    for record in core.generations().records() {
        assert!(record.shift.unwrap().mean <= 0.05 && record.drift.unwrap().mean <= 0.1);
    }
    let gain = gain_of(core.generations().in_force());
    assert!(
        gain > 1.1 && gain < 2.5,
        "{gain}: on the way to 3, but held"
    );
    assert!(!judgements(&steps).is_empty());
}

#[test]
fn divergence_is_rejected_and_the_shadow_starts_again() {
    let mut model = LinearModel::new(1.0);
    // The tenth update is the last before a candidate is taken.
    model.diverges_after = 9;
    let (mut core, slot) = core_of(model, config(None), 1);
    live(&mut core, 0..300, 1.3);
    let stats = core.stats();
    assert_eq!(stats.rejected[&Rejection::NonFinite], 1);
    assert!(stats.refused > 0, "later losses are not finite");
    assert!(stats.restored > 0);
    assert_eq!(slot.take(), None);
}

#[test]
fn equal_runs_learn_equal_weights() {
    let run = |seed| {
        let (mut core, _) = core_of(LinearModel::new(1.0), config(None), seed);
        let steps = live(&mut core, 0..600, 1.3);
        // NaN is not equal to itself: compare what is printed.
        let said: Vec<_> = steps.iter().map(|step| format!("{step:?}")).collect();
        (said, gain_of(core.generations().in_force()).to_bits())
    };
    assert!(run(7) == run(7));
    assert!(run(7).1 != run(8).1);
}

#[test]
fn a_robot_that_stands_still_is_not_learned_by_heart() {
    let (mut core, _) = core_of(LinearModel::new(1.0), config(None), 1);
    live(&mut core, 0..200, 1.3);
    for _ in 0..200 {
        core.micro_step();
    }
    let before = core.stats().updates;
    for _ in 0..50 {
        assert_eq!(core.micro_step().did, Did::Wait(Wait::Fresh));
    }
    assert_eq!(core.stats().updates, before);
}

#[test]
fn too_little_experience_is_said() {
    let (mut core, _) = core_of(LinearModel::new(1.0), config(None), 1);
    core.record(record(0, 1.0));
    let expected = Wait::Experience {
        windows: 0,
        needed: 20,
    };
    assert_eq!(core.micro_step().did, Did::Wait(expected));
}

/// A learner with an accepted generation, and the tick at which it was accepted.
fn with_a_generation(folder: Option<&Path>) -> (LearnerCore, WeightSlot, u64) {
    let (mut core, slot) = core_of(LinearModel::new(1.0), config(folder), 1);
    let mut tick = 0;
    while core.generation() == 0 {
        live(&mut core, tick..tick + 1, 1.3);
        tick += 1;
        assert!(tick < 2000);
    }
    (core, slot, tick)
}

#[test]
fn a_fault_of_the_generation_in_force_takes_it_back() {
    let (mut core, slot, tick) = with_a_generation(None);
    core.condemn(0, "cannot be condemned");
    core.condemn(core.generation() + 1, "not in force");
    assert!(!matches!(core.micro_step().did, Did::TakeBack { .. }));
    core.condemn(core.generation(), "NaN in action 3");
    assert_eq!(core.next_kind(), StepKind::Manage);
    let step = core.micro_step();
    let Did::TakeBack {
        from: 1,
        to: 0,
        trigger,
    } = step.did
    else {
        panic!("{step:?}");
    };
    assert!(trigger.to_string().contains("NaN in action 3"));
    assert_eq!(step.report.unwrap().verdict, Verdict::RolledBack);
    assert_eq!(slot.take().unwrap().generation, 0);
    // Nothing is nominated while it rests, and the next generation has a new number.
    let steps = live(&mut core, tick..tick + 39, 1.3);
    assert!(judgements(&steps).is_empty());
    live(&mut core, tick + 39..tick + 900, 1.3);
    assert!(core.generation() >= 2);
    assert_eq!(core.generations().record(2).unwrap().parent, 0);
}

#[test]
fn a_generation_that_is_worse_on_fresh_windows_is_taken_back() {
    let (mut core, _, tick) = with_a_generation(None);
    // The world is what it was before.
    let steps = live(&mut core, tick..tick + 60, 1.0);
    let taken = steps.iter().find_map(|step| match &step.did {
        Did::TakeBack { trigger, .. } => Some(trigger.clone()),
        _ => None,
    });
    assert!(matches!(taken, Some(Trigger::Loss(_))), "{taken:?}");
}

#[test]
fn jumps_at_splices_take_it_back() {
    let (mut core, _, _) = with_a_generation(None);
    for _ in 0..3 {
        core.splice_alarm(1);
    }
    let step = core.micro_step();
    assert!(matches!(
        step.did,
        Did::TakeBack {
            trigger: Trigger::Splices(3),
            ..
        }
    ));
}

#[test]
fn a_restart_continues_with_the_last_good_generation() {
    let folder = tempfile::tempdir().unwrap();
    let gain = {
        let (core, _, _) = with_a_generation(Some(folder.path()));
        gain_of(core.generations().in_force())
    };
    let (core, slot) = core_of(LinearModel::new(1.0), config(Some(folder.path())), 1);
    assert_eq!(core.generation(), 1);
    let published = slot.take().unwrap();
    assert_eq!((published.generation, gain_of(&published)), (1, gain));
}

#[test]
fn experience_survives_an_orderly_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = config(None);
    settings.replay.folder = Some(folder.path().to_owned());
    let (mut core, _) = core_of(LinearModel::new(1.0), settings.clone(), 1);
    let steps = live(&mut core, 0..150, 1.3);
    assert!(steps.iter().any(|step| step.did == Did::Store));
    core.finish();
    let (mut again, _) = core_of(LinearModel::new(1.0), settings, 1);
    assert_eq!(again.replay().stats().held, 150);
    assert_eq!(again.findings().count(), 0);
    // There is enough to learn from at once, as soon as there is something new.
    again.record(record(1000, 1.3));
    assert_eq!(again.micro_step().did, Did::Update);
}

#[test]
fn a_pin_stops_publication_until_it_ends() {
    let (mut core, slot, tick) = with_a_generation(None);
    core.pin(0).unwrap();
    assert_eq!(slot.take().unwrap().generation, 0);
    for step in live(&mut core, tick..tick + 100, 1.3) {
        assert_eq!(step.did, Did::Wait(Wait::Pinned));
    }
    core.unpin().unwrap();
    live(&mut core, tick + 100..tick + 900, 1.3);
    assert!(core.generation() >= 2, "{:?}", core.stats());
}

#[test]
fn a_configuration_out_of_range_is_refused_by_name() {
    type Spoil = fn(&mut LearnerConfig);
    let spoils: [(Spoil, &str); 4] = [
        (|c| c.update.batch = 0, "update.batch"),
        (|c| c.gate.confidence = 1.0, "gate.confidence"),
        (|c| c.replay.recent_share = f64::NAN, "replay.recent_share"),
        (|c| c.pace.duty = 1.5, "pace.duty"),
    ];
    for (spoil, name) in spoils {
        let mut config = config(None);
        spoil(&mut config);
        let error = LearnerCore::new(
            Box::new(LinearModel::new(1.0)),
            &spec(),
            &[],
            config,
            WeightSlot::new(),
            0,
        );
        assert!(error.err().unwrap().to_string().contains(name));
    }
}
