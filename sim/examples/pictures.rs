//! Writes pictures along an expert's way: `pictures task seed shift side directory`.
#![allow(clippy::print_stdout)]

use std::fs::File;
use std::io::BufWriter;

use cerebellum_sim::{CameraConfig, Disturbance, EpisodeConfig, Split, demonstrate};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [task, seed, shift, side, directory] = args.as_slice() else {
        return Err("usage: pictures task seed shift side directory".into());
    };
    let mut config = EpisodeConfig::new(task.parse()?, Split::Train, seed.parse()?);
    config.shift = shift.parse()?;
    config.cameras = CameraConfig::both(side.parse()?).to_vec();
    let run = demonstrate(&config, &Disturbance::NONE)?;
    println!(
        "{}: {:?} after {} ticks",
        run.instruction,
        run.outcome,
        run.steps.len()
    );
    // One strip: the front camera above, the wrist camera below, six moments from left to right.
    let side: usize = side.parse()?;
    let moments = 6;
    let mut strip = vec![0; side * moments * side * 2 * 3];
    for moment in 0..moments {
        let index = moment * run.steps.len() / (moments - 1);
        let seen = run
            .steps
            .get(index)
            .map_or(&run.last, |step| &step.observation);
        for (row, frame) in seen.frames.iter().enumerate() {
            for (y, line) in frame.data.chunks_exact(side * 3).enumerate() {
                let start = ((row * side + y) * moments + moment) * side * 3;
                strip[start..start + side * 3].copy_from_slice(line);
            }
        }
    }
    std::fs::create_dir_all(directory)?;
    let path = format!("{directory}/{task}-{seed}.png");
    let writer = BufWriter::new(File::create(&path)?);
    let mut encoder = png::Encoder::new(writer, (side * moments) as u32, 2 * side as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(&strip)?;
    println!("{path}");
    Ok(())
}
