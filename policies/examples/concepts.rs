//! How fast concepts are learned, found and acted on, on this machine's CPU, at the authors' size
//! (states of 51 numbers, actions of 8, windows of 60) and random weights.
//!
//! `cargo run --release -p cerebellum-policies --example concepts [repetitions]`

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Distribution, Tensor};
use cerebellum_policies::infocon::cotpc::loss::CotBatch;
use cerebellum_policies::infocon::cotpc::{
    CotLearner, CotLearnerConfig, Cotpc, CotpcConfig, Rollout,
};
use cerebellum_policies::infocon::{
    ConceptTracker, DiscoveryBatch, DiscoveryLearner, InfoCon, InfoConConfig, LearnerConfig,
    Windows,
};

const STATE: usize = 51;
const ACTION: usize = 8;
const STEPS: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let repetitions = std::env::args().nth(1).and_then(|word| word.parse().ok());
    let repetitions: usize = repetitions.unwrap_or(20);
    let device = Device::flex();
    let learning = device.clone().autodiff();
    let config = InfoConConfig::published(STATE, ACTION, 200);
    let policy = CotpcConfig::published(STATE, ACTION, 200);
    let random = |shape: [usize; 3], device: &Device| -> Tensor<3> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
    };
    let windows = |device: &Device| {
        let actions = random([1, STEPS, ACTION], device);
        Windows::new(
            random([1, STEPS, STATE], device),
            Some(actions),
            vec![0],
            &config,
        )
    };

    let settings = LearnerConfig {
        // Past the start, where all losses count.
        first_step: 5_000,
        ..LearnerConfig::published(10_000)
    };
    let mut learner = DiscoveryLearner::new(InfoCon::new(&config, &learning)?, settings);
    let batch = DiscoveryBatch {
        windows: windows(&learning)?,
        times: (0..STEPS).map(|step| step as f32 / STEPS as f32).collect(),
        lengths: vec![STEPS],
        draws: None,
    };
    report("discovery, one update", repetitions, || {
        learner.step(&batch).map(drop).map_err(Into::into)
    })?;

    let mut tracker = ConceptTracker::new(
        InfoCon::new(&config, &device)?,
        config.clone(),
        100,
        &device,
    )?;
    let mut rollout = Rollout::new(policy.clone());
    let network = Cotpc::new(&policy, &device)?;
    let state = vec![0.1; STATE];
    let action = vec![0.2; ACTION];
    for step in 0..STEPS {
        let done = (step > 0).then_some(action.as_slice());
        tracker.push(done, &state)?;
        rollout.push(done, &state)?;
        if step == 4 {
            report("policy, one action after 5 states", repetitions, || {
                rollout
                    .decide(&network, &device)
                    .map(drop)
                    .map_err(Into::into)
            })?;
        }
    }
    report("policy, one action after 60 states", repetitions, || {
        rollout
            .decide(&network, &device)
            .map(drop)
            .map_err(Into::into)
    })?;
    let model = InfoCon::new(&config, &device)?;
    let plain = windows(&device)?;
    report("concept of the newest of 60 states", repetitions, || {
        let keys = model.key_net.keys(&plain);
        let prototypes = model.key_book.prototypes();
        let assignment = model.key_book.assign(keys, &batch.times, &prototypes);
        assignment
            .concepts
            .last()
            .map(|_| ())
            .ok_or_else(|| "no concept".into())
    })?;
    report(
        "reading (concept, score, key state, action)",
        repetitions,
        || tracker.read(None).map(drop).map_err(Into::into),
    )?;

    let settings = CotLearnerConfig::published(10_000);
    let mut learner = CotLearner::new(Cotpc::new(&policy, &learning)?, settings);
    let keys = policy.key_states;
    let batch = CotBatch {
        windows: windows(&learning)?,
        lengths: vec![STEPS],
        key_states: random([1, keys, STATE], &learning),
        key_mask: Tensor::ones([1, keys], &learning),
        horizon: vec![STEPS],
    };
    report("policy, one update", repetitions, || {
        learner.step(&batch).map(drop).map_err(Into::into)
    })
}

/// Median and least wall time of a job, after one run that is not counted.
fn report(
    name: &str,
    repetitions: usize,
    mut job: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    job()?;
    let mut times = Vec::with_capacity(repetitions);
    for _ in 0..repetitions.max(1) {
        let begun = Instant::now();
        job()?;
        times.push(begun.elapsed());
    }
    times.sort();
    let least = times.first().copied().unwrap_or(Duration::ZERO);
    let median = times
        .get(times.len() / 2)
        .copied()
        .unwrap_or(Duration::ZERO);
    println!("{name:44} median {median:>9.2?}  least {least:>9.2?}");
    Ok(())
}
