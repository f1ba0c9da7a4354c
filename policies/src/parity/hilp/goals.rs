//! `gcrl_goal_sampler`: goals of given random draws.

use burn::tensor::Device;

use crate::hilp::goal_conditioned::goals::{GoalDraw, GoalMix, GoalSampler};
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// Names the shares of a variant's kinds of goals.
const SHARES: &str = "p_random_traj_curr";

/// All outputs of a file.
///
/// # Errors
/// If an input is missing or of the wrong size.
pub fn compute(file: &GoldenFile, _: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let is_end = &file.get("in/dones_float")?.values;
    let sampler = |mix| GoalSampler::new(is_end.iter().map(|&end| end > 0.0), mix);
    let ends = sampler(GoalMix::default()).ends().to_vec();
    let ends = ends.iter().map(|&end| end as f64).collect::<Vec<_>>();
    outputs.put_vector("out/terminal_locs", &ends);

    let variants = file.keys_under("in/").filter_map(|key| {
        let variant = key.strip_suffix(SHARES)?;
        variant.strip_suffix('/')
    });
    for variant in variants {
        let numbers = |name: &str| {
            let tensor = file.get(&format!("in/{variant}/{name}"))?;
            Ok::<_, ParityError>(&tensor.values)
        };
        let shares = numbers(SHARES)?;
        let &[random, trajectory, current] = shares.as_slice() else {
            return Err(ParityError::Config(format!("{variant}: three shares")));
        };
        let geometric = file.has(&format!("in/{variant}/uniform_geom"));
        let sampler = sampler(GoalMix {
            random,
            trajectory,
            current,
            geometric,
            discount: file.number("/discount")?,
        });
        let rows = numbers("indx")?;
        let randoms = numbers("random_index")?;
        let distances = if geometric {
            numbers("uniform_geom")?
        } else {
            numbers("uniform_distance")?
        };
        let trajectories = numbers("uniform_traj")?;
        let currents = numbers("uniform_curr")?;
        let draws = randoms
            .iter()
            .zip(distances)
            .zip(trajectories)
            .zip(currents);
        let draws = draws.map(|(((&row, &distance), &trajectory), &current)| GoalDraw {
            row: row as usize,
            distance,
            trajectory,
            current,
        });
        let goals = rows.iter().zip(draws);
        let goals = goals.map(|(&row, draw)| sampler.goal(row as usize, &draw) as f64);
        let goals = goals.collect::<Vec<_>>();
        let reached = goals.iter().zip(rows).map(|(goal, row)| goal == row);
        let reached = reached.map(|same| f64::from(u8::from(same)));
        let reached = reached.collect::<Vec<_>>();
        let masks = reached.iter().map(|reached| 1.0 - reached);
        let masks = masks.collect::<Vec<_>>();
        for (name, values) in [
            ("goal_indx", &goals),
            ("rewards", &reached),
            ("masks", &masks),
        ] {
            outputs.put_vector(format!("out/{variant}/{name}"), values);
        }
    }
    Ok(outputs)
}
