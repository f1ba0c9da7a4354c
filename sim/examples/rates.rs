//! Prints how fast the world runs on one core of this machine.
#![allow(clippy::print_stdout)]

use cerebellum_sim::{BenchConfig, bench};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = bench(&BenchConfig::default())?;
    let unit = if report.processor_time {
        "core second"
    } else {
        "second"
    };
    println!(
        "physics: {:.0} steps per {unit}, {:.0} times real time",
        report.physics_steps, report.real_time_factor
    );
    for rate in &report.pictures {
        println!(
            "{:>5} camera, {:>3} pixels: {:.0} pictures per {unit}",
            rate.camera, rate.side, rate.per_second
        );
    }
    for cost in &report.demonstrations {
        println!(
            "demonstration of {:.0} ticks, two cameras of {} pixels: {:.3} s",
            cost.ticks, cost.side, cost.seconds
        );
    }
    Ok(())
}
