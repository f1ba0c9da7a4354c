//! `cerebellum doctor`.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use cerebellum_bridge::zenoh::{RobotLink, RobotLinkConfig, WorldLink, WorldLinkConfig};
use cerebellum_bridge::{Counters, SessionConfig, free_endpoint};
use cerebellum_kinematics::Robot;
use cerebellum_messages::{JointState, Stamp};
use cerebellum_policies::device::{self, DeviceChoice};
use serde::Serialize;

use super::args::DoctorArgs;
use super::exit::{ExitStatus, Failure};
use crate::control::ControlConfig;
use crate::control::bench::pacing;
use crate::inference::InferenceConfig;
use crate::realtime::{RealtimeConfig, permissions};
use crate::run::brain::Brain;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// Works, but less well than it could.
    Warning,
    Bad,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    detail: String,
}

/// Checks this machine and what is shipped, one line each.
///
/// # Errors
/// If the report cannot be written; failed checks are told by the exit code.
pub fn doctor(args: &DoctorArgs) -> Result<ExitStatus, Failure> {
    let findings = [
        robot(),
        cpu(args),
        gpu(args),
        realtime(),
        punctuality(),
        network(),
    ];
    for finding in &findings {
        let mark = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Warning => "warn",
            Verdict::Bad => "BAD ",
        };
        println!("{mark} {:<12} {}", finding.check, finding.detail);
    }
    super::output::save(args.json.as_deref(), &findings)?;
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    Ok(if bad {
        ExitStatus::CheckFailed
    } else {
        ExitStatus::Success
    })
}

fn finding(check: &'static str, result: anyhow::Result<(Verdict, String)>) -> Finding {
    match result {
        Ok((verdict, detail)) => Finding {
            check,
            verdict,
            detail,
        },
        Err(error) => Finding {
            check,
            verdict: Verdict::Bad,
            detail: format!("{error:#}"),
        },
    }
}

fn robot() -> Finding {
    let result = Robot::tabletop().map(|robot| {
        (
            Verdict::Good,
            format!("{}: {} joints with the gripper", robot.name(), robot.dof()),
        )
    });
    finding("robot", result.map_err(Into::into))
}

fn cpu(args: &DoctorArgs) -> Finding {
    finding("cpu", plan_on(DeviceChoice::Cpu, args))
}

fn gpu(args: &DoctorArgs) -> Finding {
    let mut found = finding("gpu", plan_on(DeviceChoice::Wgpu, args));
    // The CPU serves as well.
    if found.verdict == Verdict::Bad {
        found.verdict = Verdict::Warning;
    }
    found
}

/// Plans once on a device and says how long the second plan took.
fn plan_on(choice: DeviceChoice, args: &DoctorArgs) -> anyhow::Result<(Verdict, String)> {
    let opened = device::open(choice)?;
    let (name, software) = (opened.name.clone(), device::is_software(&opened.name));
    let brain = Brain::load(args.policy.as_deref(), opened)?;
    let config = InferenceConfig::default();
    let (mut core, _slot) = brain.inference(0, &config)?;
    let robot = Robot::tabletop()?;
    let inputs = super::bench::inputs(&robot);
    let report = crate::inference::warm_up(&mut core, &inputs, 2, config.replan.max_steps, || {});
    if let Some(reason) = report.stopped_by {
        return Err(anyhow!("{name}: {reason}"));
    }
    let verdict = if software {
        Verdict::Warning
    } else {
        Verdict::Good
    };
    let note = if software {
        "; a driver in software: `--device cpu` is faster"
    } else {
        ""
    };
    Ok((
        verdict,
        format!(
            "{name}: {} plans in {:.0} ms, the first took {:.0} ms{note}",
            brain.spec().name,
            report.last.as_secs_f64() * 1e3,
            report.first.as_secs_f64() * 1e3
        ),
    ))
}

/// What a robot's control thread would be refused. Nothing is asked for, so that nothing stays.
fn realtime() -> Finding {
    let permissions = permissions();
    let refusals = permissions.refusals(&RealtimeConfig::ROBOT);
    let told: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let (verdict, detail) = if told.is_empty() {
        (
            Verdict::Good,
            format!(
                "SCHED_FIFO up to {} and locked memory are permitted.",
                permissions.highest_priority
            ),
        )
    } else {
        (Verdict::Warning, told.join(" "))
    };
    let hints = permissions
        .hints()
        .into_iter()
        .map(|hint| format!(" {hint}"));
    Finding {
        check: "real time",
        verdict,
        detail: hints.fold(detail, |detail, hint| detail + &hint),
    }
}

/// How punctual ticks are under the priority that a robot's control thread gets here.
fn punctuality() -> Finding {
    let priority = RealtimeConfig::ROBOT
        .priority
        .filter(|_| permissions().realtime);
    let config = ControlConfig {
        rate_hz: 200.0,
        realtime: RealtimeConfig {
            priority,
            // Locked memory would stay locked.
            ..RealtimeConfig::ORDINARY
        },
        ..ControlConfig::default()
    };
    let result = pacing(&config, 200).map(|figures| {
        let p99 = figures.lateness_ns.p99 as f64 * 1e-3;
        let verdict = if p99 < 1000.0 && figures.missed == 0 {
            Verdict::Good
        } else {
            Verdict::Warning
        };
        let class = priority.map_or_else(
            || "ordinary priority".to_owned(),
            |priority| format!("SCHED_FIFO {priority}"),
        );
        (
            verdict,
            format!(
                "ticks begin {p99:.0} us late at p99, {} of 200 missed ({class})",
                figures.missed
            ),
        )
    });
    finding("punctuality", result.map_err(Into::into))
}

fn network() -> Finding {
    finding(
        "network",
        round_trip().map(|took| {
            (
                Verdict::Good,
                format!(
                    "zenoh over TCP loopback: a joint state arrives in {:.0} us",
                    took.as_secs_f64() * 1e6
                ),
            )
        }),
    )
}

fn round_trip() -> anyhow::Result<Duration> {
    let endpoint = free_endpoint()?;
    let counters = Counters::new();
    let at = |node: &str| SessionConfig {
        node: node.to_owned(),
        ..SessionConfig::default()
    };
    let world = WorldLink::open(
        &WorldLinkConfig {
            session: SessionConfig {
                listen: vec![endpoint.clone()],
                ..at("doctor_world")
            },
            cameras: Vec::new(),
            ..WorldLinkConfig::default()
        },
        &counters,
    )?;
    let robot = RobotLink::open(
        &RobotLinkConfig {
            session: SessionConfig {
                connect: vec![endpoint],
                ..at("doctor_robot")
            },
            cameras: Vec::new(),
            ..RobotLinkConfig::default()
        },
        &counters,
    )?;
    let mut sensors = robot.observations();
    let patience = Instant::now() + Duration::from_secs(5);
    let mut stamp = 0;
    while Instant::now() < patience {
        stamp += 1;
        let sent = Instant::now();
        world.publish_joints(&JointState {
            stamp: Stamp(stamp),
            names: vec!["joint1".into()],
            position: vec![0.0],
            ..JointState::default()
        })?;
        // The first messages may be sent before the two ends know of each other.
        if let Some(set) = sensors.wait_newer(sent + Duration::from_millis(100))
            && set.joints.stamp == Stamp(stamp)
            && stamp > 3
        {
            return Ok(set.joints_arrival.saturating_duration_since(sent));
        }
    }
    Err(anyhow!(
        "nothing arrived over TCP loopback within 5 s: is a firewall in the way?"
    ))
}
