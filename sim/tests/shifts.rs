//! What the knobs of domain shift change, and what they leave alone.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use cerebellum_sim::{
    CameraConfig, Episode, EpisodeConfig, Knob, Outcome, Shift, Split, Task, Wording, instructions,
};
use common::Rig;

fn config(shift: &str) -> EpisodeConfig {
    let mut config = EpisodeConfig::new(Task::PlaceOnPlate, Split::Shift, 11);
    config.cameras = CameraConfig::both(48).to_vec();
    config.shift = shift.parse().unwrap();
    config
}

#[test]
fn looks_and_sensors_leave_the_physics_alone() {
    let nominal = Episode::new(&config("")).unwrap();
    let knobs = "camera=3,field_of_view=3,light=3,shadows=1,colors=3,textures=3,image_noise=3,\
                 image_blur=3,occlusion=3,exposure=3,encoder_noise=3,encoder_bias=3,\
                 image_latency=3,action_latency=3,dropped_commands=3,wording=1";
    let shifted = Episode::new(&config(knobs)).unwrap();
    assert_eq!(nominal.state_hash(), shifted.state_hash());
}

#[test]
fn every_visual_knob_changes_the_pictures() {
    let nominal = Episode::new(&config("")).unwrap().observe().unwrap();
    for knob in [
        Knob::Camera,
        Knob::FieldOfView,
        Knob::Light,
        Knob::Shadows,
        Knob::Colors,
        Knob::Textures,
        Knob::Distractors,
        Knob::ImageNoise,
        Knob::ImageBlur,
        Knob::Occlusion,
        Knob::Exposure,
    ] {
        for level in 1..=knob.highest() {
            let mut config = config("");
            config.shift = Shift::NONE.with(knob, level).unwrap();
            let seen = Episode::new(&config).unwrap().observe().unwrap();
            assert_ne!(
                seen.frames[0].data,
                nominal.frames[0].data,
                "{}={level}",
                knob.name()
            );
        }
    }
}

#[test]
fn late_pictures_show_the_past_under_the_stamp_of_now() {
    let (mut nominal, mut late) = (
        Rig::with(&config("")),
        Rig::with(&config("image_latency=2")),
    );
    let mut past = Vec::new();
    for tick in 0..8 {
        let now = nominal.episode.observe().unwrap();
        let seen = late.episode.observe().unwrap();
        past.push(now.frames.clone());
        let shown: &Vec<_> = &past[tick.max(2) - 2];
        for (seen, shown) in seen.frames.iter().zip(shown) {
            assert_eq!(seen.data, shown.data, "tick {tick}");
            assert_eq!(seen.stamp, now.stamp);
        }
        assert_eq!(seen.joints, now.joints);
        nominal.expert();
        late.expert();
    }
}

#[test]
fn late_commands_act_late_and_lost_ones_not_at_all() {
    let up = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let moved = |shift: &str, ticks: u32| {
        let mut rig = Rig::with(&config(shift));
        let start = rig.episode.tool().position.z;
        rig.repeat(ticks, up);
        rig.episode.tool().position.z - start
    };
    assert!(moved("", 2) > 0.025);
    assert!(moved("action_latency=2", 2).abs() < 1e-3);
    assert!(moved("action_latency=2", 4) > 0.025);
    let mut rig = Rig::with(&config("dropped_commands=3"));
    let mut stood = 0;
    for _ in 0..40 {
        let before = rig.episode.joint_state().position[7];
        let open = (rig.episode.ticks() / 2).is_multiple_of(2);
        rig.apply([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, if open { 1.0 } else { -1.0 }]);
        let after = rig.episode.joint_state().position[7];
        stood += u32::from((after - before).abs() < 2e-3);
    }
    assert!((3..30).contains(&stood), "{stood}");
}

#[test]
fn encoders_are_off_by_what_is_said() {
    let truth = Episode::new(&config("")).unwrap().joint_state();
    let error = |shift: &str| {
        let read = Episode::new(&config(shift)).unwrap().joint_state();
        let errors = read.position.iter().zip(&truth.position);
        errors
            .take(7)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max)
    };
    assert_eq!(error(""), 0.0);
    let bias = error("encoder_bias=3");
    assert!(bias > 2e-3 && bias <= 0.02, "{bias}");
    let noise = error("encoder_noise=2");
    assert!(noise > 2e-4 && noise < 0.012, "{noise}");
}

#[test]
fn wording_changes_the_words_only() {
    for seed in 0..20 {
        let mut config = EpisodeConfig::new(Task::Stack, Split::Eval, seed).blind();
        let heard = Episode::new(&config).unwrap();
        config.shift = "wording=1".parse().unwrap();
        let unheard = Episode::new(&config).unwrap();
        let list = |wording| instructions(Task::Stack, wording);
        assert!(
            list(Wording::Heard)
                .iter()
                .any(|text| text == heard.instruction())
        );
        assert!(
            list(Wording::Unheard)
                .iter()
                .any(|text| text == unheard.instruction())
        );
        assert_eq!(heard.state_hash(), unheard.state_hash());
    }
}

#[test]
fn nonsense_targets_are_survived() {
    let mut rig = Rig::with(&config(""));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
        for _ in 0..3 {
            let outcome = rig.episode.step(&[value; 8]).unwrap();
            assert_eq!(outcome, Outcome::Running);
        }
    }
    let state = rig.episode.joint_state();
    assert!(state.position.iter().all(|value| value.is_finite()));
}
