//! `gcrl_state_forward*`, `gcrl_pixel_forward`: every network, intrinsic reward, acting.

use burn::tensor::{Device, Int, Tensor};

use super::skill_setup::{config, networks, observations};
use crate::hilp::goal_conditioned::Networks;
use crate::hilp::goal_conditioned::networks::Acting;
use crate::hilp::goal_conditioned::prompt::skill_towards;
use crate::hilp::observations::Observations;
use crate::hilp::representation::value;
use crate::hilp::skills::intrinsic_reward;
use crate::parity::error::ParityError;
use crate::parity::golden::GoldenFile;
use crate::parity::outputs::Outputs;

/// Prompts of single rows are named `goal_skill_<observation>_<goal>`.
const PAIR: &str = "out/goal_skill_";

/// All outputs of a file.
///
/// # Errors
/// If the file's configuration, weights or inputs do not fit.
pub fn compute(file: &GoldenFile, device: &Device) -> Result<Outputs, ParityError> {
    let mut outputs = Outputs::default();
    let out = &mut outputs;
    let config = config(file, "in/observations")?;
    let networks = networks(file, &config, device)?;
    let states = observations(file, "in/observations", device)?;
    let next = observations(file, "in/next_observations", device)?;
    let goals = observations(file, "in/goals", device)?;
    let skills = file.tensor::<2>("in/skills", device)?;
    let actions = file.tensor::<2>("in/actions", device)?;

    let both = networks.value.forward(states.clone());
    let values = value(both.clone(), networks.value.forward(goals.clone()));
    let slow = &networks.target_value;
    let slow = value(slow.forward(states.clone()), slow.forward(goals.clone()));
    let phi = networks.value.phi(states.clone());
    let next_phi = networks.value.phi(next);
    let [_, rows] = values.dims();
    out.put("out/phi_both", both);
    out.put("out/value_mean", values.clone().mean_dim(0).reshape([rows]));
    out.put("out/value", values);
    out.put("out/target_value", slow);
    out.put("out/phi", phi.clone());
    out.put("out/next_phi", next_phi.clone());
    let reward = intrinsic_reward(phi, next_phi, skills.clone());
    out.put("out/intrinsic_reward", reward);

    let with_skill = states.clone().with(skills.clone());
    let with_action = with_skill.clone().with(actions.clone());
    let critic = networks.skill_critic.scalars(with_action.clone());
    out.put("out/skill_critic", critic);
    let critic = networks.skill_target_critic.scalars(with_action);
    out.put("out/skill_target_critic", critic);
    let value = networks.skill_value.scalars(with_skill);
    out.put("out/skill_value", value.reshape([rows]));

    let policy = networks
        .skill_actor
        .forward(states.clone(), skills.clone(), 1.0);
    let shape = policy.mean.dims();
    out.put("out/actor_log_prob", policy.log_density(actions));
    out.put("out/actor_std", policy.std.expand(shape));
    out.put("out/actor_mode", policy.mean.clone());
    out.put("out/actor_mean", policy.mean);
    let cold = networks.skill_actor.forward(states.clone(), skills, 0.5);
    out.put("out/actor_std_temp0p5", cold.std.expand(shape));

    prompts(file, networks, (states, goals), out)?;
    Ok(outputs)
}

/// Goals in a batch (`goal_row` names each observation's) and of single rows.
fn prompts(
    file: &GoldenFile,
    networks: Networks,
    (states, goals): (Observations, Observations),
    outputs: &mut Outputs,
) -> Result<(), ParityError> {
    let acting = Acting {
        value: networks.value,
        skill_actor: networks.skill_actor,
    };
    let prompt = |states: Observations, goals: Observations| {
        let goal = acting.value.phi(goals);
        let skill = skill_towards(acting.value.phi(states.clone()), goal.clone());
        (skill, acting.act_towards(states, goal))
    };
    if file.has("in/goal_row") {
        let rows = file.values("in/goal_row")?;
        let goal_rows = rows.iter().map(|&row| row as usize);
        let first = pick(&states, &(0..rows.len()).collect::<Vec<_>>());
        let goals = pick(&goals, &goal_rows.collect::<Vec<_>>());
        let (skill, action) = prompt(first, goals);
        outputs.put("out/goal_skill", skill);
        outputs.put("out/goal_action", action);
    }
    for name in file.keys_under(PAIR) {
        let pair = name.split_once('_');
        let pair = pair.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        let Some((state, goal)) = pair else {
            continue;
        };
        let (skill, action) = prompt(pick(&states, &[state]), pick(&goals, &[goal]));
        outputs.put(format!("{PAIR}{name}"), skill.squeeze_dim::<1>(0));
        let action = action.squeeze_dim::<1>(0);
        outputs.put(format!("out/goal_action_{name}"), action);
    }
    Ok(())
}

fn pick(rows: &Observations, indices: &[usize]) -> Observations {
    let index = |device: &Device| {
        let indices = indices.iter().map(|&index| index as i32);
        Tensor::<1, Int>::from_ints(indices.collect::<Vec<_>>().as_slice(), device)
    };
    match rows {
        Observations::States(states) => {
            Observations::States(states.clone().select(0, index(&states.device())))
        }
        Observations::Images(images) => {
            Observations::Images(images.clone().select(0, index(&images.device())))
        }
    }
}
