use cerebellum_kinematics::TcpServo;
use cerebellum_sim::*;
use glam::DVec3;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let mut c = EpisodeConfig::new(a[0].parse()?, Split::Train, a[1].parse()?).blind();
    c.shift = a[2].parse()?;
    let d = if a[3] == "mild" { Disturbance::MILD } else { Disturbance::NONE };
    let run = demonstrate(&c, &d)?;
    println!("{} {:?}", run.instruction, run.outcome);
    let r = cerebellum_kinematics::Robot::tabletop()?;
    let _ = (TcpServo::new(r.clone()), DVec3::ZERO);
    for (i, s) in run.steps.iter().enumerate() {
        let t = s.observation.tcp.unwrap();
        println!("{i} tcp {:.3?} w {:.4} a {:.2?}", t.position, s.observation.joints.position[7], s.action);
    }
    Ok(())
}
