//! Success of the scripted experts: `experts [seeds] [shift] [calm|mild] [task]`.
#![allow(clippy::print_stdout)]

use cerebellum_sim::{Disturbance, EpisodeConfig, Outcome, Shift, Split, Task, demonstrate};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let seeds: u64 = args.next().map_or(Ok(20), |text| text.parse())?;
    let shift: Shift = args.next().unwrap_or_default().parse()?;
    let disturbance = match args.next().as_deref() {
        Some("mild") => Disturbance::MILD,
        _ => Disturbance::NONE,
    };
    let only: Option<Task> = args.next().map(|text| text.parse()).transpose()?;
    let mut total = 0;
    for task in Task::ALL
        .into_iter()
        .filter(|task| only.is_none_or(|one| one == *task))
    {
        let runs: Vec<(u64, Outcome, usize, usize)> = (0..seeds)
            .into_par_iter()
            .map(|seed| {
                let mut config = EpisodeConfig::new(task, Split::Train, seed).blind();
                config.shift = shift;
                let run = demonstrate(&config, &disturbance)?;
                let flips = run
                    .steps
                    .windows(2)
                    .filter(|pair| pair[0].action[6] != pair[1].action[6]);
                Ok((seed, run.outcome, run.steps.len(), flips.count()))
            })
            .collect::<Result<_, cerebellum_sim::SimError>>()?;
        let won: Vec<_> = runs
            .iter()
            .filter(|run| run.1 == Outcome::Succeeded)
            .collect();
        let lost: Vec<_> = runs
            .iter()
            .filter(|run| run.1 != Outcome::Succeeded)
            .collect();
        let ticks: usize = won.iter().map(|run| run.2).sum();
        let flips: usize = won.iter().map(|run| run.3).sum();
        let longest = won.iter().map(|run| run.2).max().unwrap_or(0);
        println!(
            "{:>15} {:>4}/{seeds}  mean {:>5.1} ticks, longest {longest}, {:.2} grips  lost: {:?}",
            task.name(),
            won.len(),
            ticks as f64 / won.len().max(1) as f64,
            flips as f64 / won.len().max(1) as f64,
            lost.iter()
                .take(12)
                .map(|run| (run.0, run.1))
                .collect::<Vec<_>>()
        );
        total += won.len();
    }
    println!("{total} achieved");
    Ok(())
}
