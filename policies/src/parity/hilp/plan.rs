//! `gcrl_plan`: prompting with a goal, straight and over midpoints.

use burn::tensor::{Device, Tensor, TensorData};

use super::skill_setup::{config, with_weights};
use crate::hilp::goal_conditioned::dataset::antmaze_goal;
use crate::hilp::goal_conditioned::networks::Acting;
use crate::hilp::goal_conditioned::prompt::skill_towards;
use crate::hilp::observations::Observations;
use crate::hilp::planning::Midpoints;
use crate::hilp::statistics::host;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let config = config(file, "in/candidates")?;
    let acting = with_weights(Acting::new(&config, device), file)?;
    let phi = |rows: Tensor<2>| acting.value.phi(Observations::States(rows));

    let candidates = phi(file.tensor("in/candidates", device)?);
    outputs.put("out/candidate_phis", candidates.clone());
    let width = config.skill_dim;
    let (nearest, recursions) = (file.count("/num_knns")?, file.count("/num_recursions")?);
    let midpoints = Midpoints::new(host(candidates), width, nearest, recursions);
    let goal = goal(file)?;
    let goal = Tensor::from_data(TensorData::new(goal.clone(), [1, goal.len()]), device);
    let goal = host(phi(goal));

    for prompt in ["goal_skill", "goal_skill_planning"] {
        let rows = file.tensor::<2>(&format!("in/{prompt}/observations"), device)?;
        let here = phi(rows.clone());
        let [count, _] = rows.dims();
        let mut targets = Vec::with_capacity(count * width);
        for (row, here) in host(here.clone()).chunks_exact(width).enumerate() {
            if prompt == "goal_skill" {
                targets.extend_from_slice(&goal);
                continue;
            }
            let plan = midpoints.plan(here, &goal);
            if row == 0 {
                outputs.put_vector("out/trace_phi_obs", here);
                trace(&mut outputs, &plan, width);
            }
            let target = plan.last().map_or(&goal, |midpoint| &midpoint.phi);
            targets.extend_from_slice(target);
        }
        let targets = Tensor::from_data(TensorData::new(targets, [count, width]), device);
        let skills = skill_towards(here, targets);
        outputs.put(format!("out/{prompt}/skills"), skills.clone());
        let actions = acting.act(Observations::States(rows), skills);
        outputs.put(format!("out/{prompt}/actions"), actions);
    }
    Ok(outputs)
}

/// The goal that the authors' program would make of the task's target; the file's own if it has no
/// target.
fn goal(file: &GoldenFile) -> Result<Vec<f32>, ParityError> {
    match file.values("in/target_goal").as_deref() {
        Ok(&[x, y]) => Ok(antmaze_goal([x, y], &file.values("in/base_observation")?)),
        _ => file.values("in/goal_observation"),
    }
}

fn trace(outputs: &mut Outputs, plan: &[crate::hilp::planning::Midpoint], width: usize) {
    let phi = plan.iter().flat_map(|midpoint| &midpoint.phi).copied();
    let phi = phi.collect::<Vec<_>>();
    outputs.put_values("out/trace_waypoints", &[plan.len(), width], &phi);
    let rows = plan.iter().flat_map(|midpoint| &midpoint.candidates);
    let rows = rows.map(|&row| row as f64).collect::<Vec<_>>();
    let nearest = plan.first().map_or(0, |midpoint| midpoint.candidates.len());
    outputs.put_values("out/trace_knn_sorted", &[plan.len(), nearest], &rows);
}
