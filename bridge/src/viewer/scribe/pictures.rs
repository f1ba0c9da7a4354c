//! Images and goals.

use cerebellum_messages::{Frame, Goal, GoalSpec};
use rerun::{BarChart, Image, TextDocument};

use super::{Scribe, Written, entity, path};

impl Scribe {
    /// Every so many images of a camera.
    pub(super) fn frame(&mut self, frame: &Frame) -> Written {
        let number = match self.images.get_mut(&frame.camera) {
            Some(seen) => {
                *seen = seen.wrapping_add(1);
                *seen
            }
            None => {
                self.images.insert(frame.camera.clone(), 0);
                // A view for it. Cameras are few and show up at the beginning.
                self.greet();
                0
            }
        };
        let due = number.checked_rem(self.image_every) == Some(0);
        if !due || frame.validate().is_err() {
            return Ok(());
        }
        self.stream
            .log(entity(path::CAMERA, &frame.camera), &image(frame))
    }

    /// A goal, in words or as what it is.
    pub(super) fn goal(&mut self, goal: &Goal) -> Written {
        let text = match &goal.spec {
            GoalSpec::Language { text } => text.clone(),
            GoalSpec::Image { frame } => {
                if frame.validate().is_ok() {
                    self.stream
                        .log(entity(path::GOAL, "image"), &image(frame))?;
                }
                format!("a picture from camera {}", frame.camera)
            }
            GoalSpec::State { values } => {
                let bars = BarChart::new(values.clone());
                self.stream.log(entity(path::GOAL, "state"), &bars)?;
                format!("a state of {} numbers", values.len())
            }
            GoalSpec::Reward { rewards, .. } => {
                format!("a reward, by {} samples", rewards.len())
            }
            GoalSpec::Concept { ids } => format!("concepts {ids:?}"),
        };
        let text = format!("{text}\n\ngoal {}", goal.id);
        self.stream.log(path::GOAL, &TextDocument::new(text))
    }
}

fn image(frame: &Frame) -> Image {
    Image::from_rgb24(frame.data.to_vec(), [frame.width, frame.height])
}
