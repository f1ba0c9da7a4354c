//! Schedules, densities and scalings against the authors' functions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::density::{Density, NoiseRange};
use super::{Preconditioning, Schedule};
use crate::golden::Golden;

fn golden() -> Golden {
    Golden::open("mdt/sigma_schedules.safetensors")
}

#[test]
fn schedules() {
    let golden = golden();
    let config = golden.config();
    for set in config["sets"].as_array().unwrap() {
        let tag = set["tag"].as_str().unwrap();
        let steps = set["n"].as_u64().unwrap() as usize;
        let bounds = ["sigma_min", "sigma_max"].map(|key| set[key].as_f64().unwrap());
        for (name, schedule) in [
            ("exponential", Schedule::Exponential),
            ("karras", Schedule::Karras),
            ("linear", Schedule::Linear),
        ] {
            let sigmas = schedule.sigmas(steps, bounds[0], bounds[1]);
            let sigmas = sigmas.iter().map(|&s| s as f32).collect::<Vec<_>>();
            golden.check(&format!("out/{tag}/{name}"), &sigmas, 1e-6);
        }
    }
    let one = Schedule::Exponential.sigmas(1, 0.001, 80.0);
    golden.check("out/exponential_n1", &[one[0] as f32, one[1] as f32], 1e-6);
    assert!(Schedule::Exponential.sigmas(0, 0.001, 80.0).is_empty());
}

#[test]
fn training_densities() {
    let golden = golden();
    let range = NoiseRange {
        sigma_min: 0.001,
        sigma_max: 80.0,
        sigma_data: 0.5,
    };
    let draw = |density: Density, uniforms: &[f32]| {
        uniforms
            .iter()
            .map(|&u| density.quantile(f64::from(u), range) as f32)
            .collect::<Vec<_>>()
    };
    let wide = draw(Density::LogLogistic, golden.values("in/u_f64"));
    // Relative: the largest value is near 80.
    for (got, want) in wide.iter().zip(golden.values("out/density/loglogistic")) {
        assert!((got - want).abs() <= 1e-4 * want, "{got} {want}");
    }
    let uniform = draw(Density::LogUniform, golden.values("in/u_f32"));
    golden.check("out/density/loguniform", &uniform, 1e-5);
}

#[test]
fn scalings() {
    let golden = golden();
    for sigma_data in ["0.3", "0.5", "1.0"] {
        let rule = Preconditioning {
            sigma_data: sigma_data.parse().unwrap(),
        };
        for (index, &sigma) in golden.values("in/sigma").iter().enumerate() {
            let at = rule.at(f64::from(sigma));
            for (name, got) in [
                ("c_skip", at.c_skip),
                ("c_out", at.c_out),
                ("c_in", at.c_in),
            ] {
                let want = golden.values(&format!("out/precond/{sigma_data}/{name}"))[index];
                assert!(
                    (got as f32 - want).abs() <= 1e-5 * (1.0 + want.abs()),
                    "{name}"
                );
            }
        }
    }
}
