#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::Ordering;

use cerebellum_messages::GoalSpec;

use super::super::testing::{
    LinearPolicy, MALFORMED, PANICS, PANICS_ON_LOAD, REFUSED, goal, observation, weights,
};
use super::*;

const LIMIT: PlanLimit = PlanLimit {
    deadline: None,
    max_steps: 4,
};

fn core(probation_plans: u32, fault_limit: u32) -> (InferenceCore, WeightSlot) {
    let config = InferenceConfig {
        probation_plans,
        fault_limit,
        ..InferenceConfig::default()
    };
    let slot = WeightSlot::new();
    let policy = Box::new(LinearPolicy::new(1.0));
    let mut core = InferenceCore::new(policy, slot.clone(), 11, &config);
    core.on_goal(&goal(5)).unwrap();
    (core, slot)
}

fn plan(core: &mut InferenceCore, tick: u64) -> Plan {
    core.on_observation(&observation(tick), LIMIT).unwrap()
}

#[test]
fn a_plan_says_what_it_rests_on() {
    let (mut core, slot) = core(1, 1);
    slot.publish(weights(3, 2.0));
    let plan = plan(&mut core, 40);
    let chunk = &plan.chunk;
    assert_eq!(
        (chunk.observed, chunk.stamp, chunk.goal_id, chunk.generation),
        (Tick(40), observation(40).stamp, 5, 3)
    );
    assert_eq!(plan.latents.len(), 1, "the latent with NaN is left out");
    assert_eq!(core.stats().latents_dropped, 1);
}

#[test]
fn noise_depends_on_run_and_tick_only() {
    let (mut one, _) = core(1, 1);
    let (mut other, _) = core(1, 1);
    // The other planned at other ticks before.
    plan(&mut other, 1);
    plan(&mut other, 2);
    assert_eq!(plan(&mut one, 7).chunk, plan(&mut other, 7).chunk);
    assert_ne!(
        plan(&mut one, 8).chunk.actions,
        plan(&mut one, 9).chunk.actions
    );
    let policy = Box::new(LinearPolicy::new(1.0));
    let mut third = InferenceCore::new(policy, WeightSlot::new(), 12, &InferenceConfig::default());
    third.on_goal(&goal(5)).unwrap();
    assert_ne!(
        plan(&mut third, 7).chunk.actions,
        plan(&mut one, 7).chunk.actions
    );
}

#[test]
fn weights_change_between_plans_only() {
    let (mut core, slot) = core(2, 1);
    assert_eq!(plan(&mut core, 1).chunk.generation, 0);
    slot.publish(weights(1, 2.0));
    assert_eq!(core.generation(), 0, "publishing alone changes nothing");
    slot.publish(weights(2, 3.0));
    assert_eq!(
        plan(&mut core, 2).chunk.generation,
        2,
        "the newest is taken"
    );
    assert_eq!(
        core.take_events(),
        [InferenceEvent::Swapped { from: 0, to: 2 }]
    );
    assert!(!core.swap_pending());
}

#[test]
fn new_weights_that_fault_are_taken_back_within_the_plan() {
    for (bad, name) in [
        (f32::NAN, "is not finite"),
        (PANICS, "told to panic"),
        (MALFORMED, "malformed"),
    ] {
        let (mut core, slot) = core(3, 1);
        slot.publish(weights(1, 2.0));
        for tick in 0..3 {
            plan(&mut core, tick);
        }
        core.take_events();
        slot.publish(weights(2, bad));
        let plan = plan(&mut core, 3);
        assert_eq!(plan.chunk.generation, 1, "{name}");
        let events = core.take_events();
        let condemned: Vec<_> = events
            .iter()
            .filter_map(InferenceEvent::condemned)
            .collect();
        assert_eq!(condemned.len(), 1);
        assert_eq!(condemned[0].0, 2);
        assert!(condemned[0].1.contains(name), "{condemned:?}");
        assert_eq!(core.stats().taken_back, 1);
    }
}

#[test]
fn weights_that_do_not_fit_are_refused_and_the_old_stay() {
    for bad in [REFUSED, PANICS_ON_LOAD] {
        let (mut core, slot) = core(3, 1);
        let before = plan(&mut core, 4).chunk;
        slot.publish(weights(1, bad));
        assert_eq!(plan(&mut core, 4).chunk, before);
        let events = core.take_events();
        assert!(
            matches!(
                &events[..],
                [InferenceEvent::LoadRefused { generation: 1, .. }]
            ),
            "{events:?}"
        );
    }
}

#[test]
fn proven_weights_are_given_up_only_after_faults_in_a_row() {
    let (mut core, slot) = core(0, 3);
    slot.publish(weights(1, PANICS));
    let failing = |core: &mut InferenceCore| core.on_observation(&observation(1), LIMIT).is_err();
    assert!(failing(&mut core));
    assert!(failing(&mut core));
    assert_eq!(core.generation(), 1);
    assert_eq!(plan(&mut core, 1).chunk.generation, 0);
}

#[test]
fn the_only_weights_fault_by_name_and_the_core_goes_on() {
    let slot = WeightSlot::new();
    let policy = LinearPolicy::new(f32::NAN);
    let resets = std::sync::Arc::clone(&policy.resets);
    let config = InferenceConfig::default();
    let mut core = InferenceCore::new(Box::new(policy), slot.clone(), 1, &config);
    core.on_goal(&goal(1)).unwrap();
    for tick in 0..10 {
        let fault = core.on_observation(&observation(tick), LIMIT).unwrap_err();
        assert_eq!(fault.name(), "non_finite_output");
    }
    assert_eq!(
        resets.load(Ordering::Relaxed),
        11,
        "its memory is cleared each time"
    );
    slot.publish(weights(1, 1.0));
    assert_eq!(plan(&mut core, 10).chunk.generation, 1);
}

#[test]
fn bad_inputs_do_not_condemn_weights() {
    let (mut core, slot) = core(5, 1);
    slot.publish(weights(1, 2.0));
    let mut blind = observation(1);
    blind.frames.clear();
    let fault = core.on_observation(&blind, LIMIT).unwrap_err();
    assert_eq!(fault.name(), "bad_observation");
    assert_eq!(core.generation(), 1);
}

#[test]
fn without_a_goal_there_is_no_plan() {
    let (mut core, _) = core(1, 1);
    core.clear_goal();
    assert_eq!(
        core.on_observation(&observation(1), LIMIT)
            .unwrap_err()
            .name(),
        "no_goal"
    );
    let state = Goal {
        id: 9,
        spec: GoalSpec::State { values: vec![0.0] },
    };
    assert_eq!(core.on_goal(&state).unwrap_err().name(), "goal_refused");
    assert_eq!(
        core.on_observation(&observation(1), LIMIT)
            .unwrap_err()
            .name(),
        "no_goal"
    );
}

#[test]
fn events_that_nobody_takes_are_bounded_and_counted() {
    let (mut core, slot) = core(1, 1);
    for generation in 1..=MAX_EVENTS as u64 + 10 {
        slot.publish(weights(generation, 1.0));
        core.swap_pending();
    }
    assert_eq!(core.take_events().len(), MAX_EVENTS);
    assert_eq!(core.stats().events_dropped, 10);
}
