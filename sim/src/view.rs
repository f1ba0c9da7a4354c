//! The cameras of the world and what they see.

use std::collections::VecDeque;
use std::sync::Arc;

use cerebellum_kinematics::Pose;
use cerebellum_messages::{Frame, Stamp};
use glam::{DQuat, Quat, Vec3};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::physics::World;
use crate::render::{
    Camera, EffectLevels, Effects, Renderer, Scene, perturb_camera, perturb_field_of_view,
    perturb_lighting,
};
use crate::{Knob, Shift, SimError};

/// Where a camera is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Beyond the table at the robot's right, looking at the robot.
    Front,
    /// On the hand, looking at the finger tips.
    Wrist,
}

impl View {
    /// Name of the camera.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Wrist => "wrist",
        }
    }
}

/// A camera to make pictures with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Where it is.
    pub view: View,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl CameraConfig {
    /// Both cameras with square pictures of `side` pixels, sorted by name.
    pub const fn both(side: u32) -> [Self; 2] {
        [
            Self {
                view: View::Front,
                width: side,
                height: side,
            },
            Self {
                view: View::Wrist,
                width: side,
                height: side,
            },
        ]
    }
}

/// A camera with what the shift makes of it.
struct Lens {
    config: CameraConfig,
    /// In the world, or for the wrist in the frame of the tool.
    camera: Camera,
    effects: Effects,
}

/// What was there to be seen at one tick.
struct Instant {
    scene: Scene,
    tool: Pose,
}

/// All cameras of an episode.
pub(crate) struct Cameras {
    lenses: Vec<Lens>,
    /// Light and background; shapes come from the world.
    room: Scene,
    latency: usize,
    /// The last instants, oldest first; none if pictures are not late.
    past: VecDeque<Instant>,
    renderer: Renderer,
}

impl Cameras {
    /// Sets up cameras under a shift.
    pub(crate) fn new(
        configs: &[CameraConfig],
        shift: &Shift,
        places: &mut ChaCha8Rng,
        pictures: &mut ChaCha8Rng,
    ) -> Self {
        let mut room = Scene::default();
        perturb_lighting(&mut room, shift.level(Knob::Light), places);
        if shift.level(Knob::Shadows) > 0 {
            room.shadows = false;
        }
        let levels = EffectLevels {
            noise: shift.level(Knob::ImageNoise),
            blur: shift.level(Knob::ImageBlur),
            occlusion: shift.level(Knob::Occlusion),
            brightness: shift.level(Knob::Exposure),
        };
        // Both views are drawn in any case, so that asking for one does not move the other.
        let mut lenses = Vec::new();
        for view in [View::Front, View::Wrist] {
            let seed = pictures.next_u64();
            let nominal = nominal(view);
            let level = shift.level(Knob::Camera);
            let mut camera = perturb_camera(&nominal, level, places);
            if view == View::Wrist {
                // A mount on the hand gives less than a tripod.
                let moved = camera.position - nominal.position;
                camera.position = nominal.position + 0.2 * moved;
            }
            let camera = perturb_field_of_view(&camera, shift.level(Knob::FieldOfView), places);
            for config in configs.iter().filter(|config| config.view == view) {
                lenses.push(Lens {
                    config: *config,
                    camera: Camera {
                        width: config.width,
                        height: config.height,
                        ..camera
                    },
                    effects: Effects::new(levels, seed),
                });
            }
        }
        let latency = match shift.level(Knob::ImageLatency) {
            0 => 0,
            1 => 1,
            2 => 2,
            _ => 4,
        };
        Self {
            lenses,
            room,
            latency,
            past: VecDeque::new(),
            renderer: Renderer::new(),
        }
    }

    /// What there is to be seen now.
    pub(crate) fn scene(&self, world: &World) -> Scene {
        Scene {
            shapes: world.shapes().collect(),
            ..self.room.clone()
        }
    }

    /// Takes note of the world, once per tick, if pictures are to be late.
    pub(crate) fn remember(&mut self, world: &World) {
        if self.latency == 0 || self.lenses.is_empty() {
            return;
        }
        let instant = Instant {
            scene: self.scene(world),
            tool: world.tool(),
        };
        self.past.push_back(instant);
        while self.past.len() > self.latency + 1 {
            self.past.pop_front();
        }
    }

    /// Takes the pictures of tick `tick`.
    pub(crate) fn shoot(
        &mut self,
        world: &World,
        tick: u64,
        stamp: Stamp,
    ) -> Result<Vec<Frame>, SimError> {
        if self.lenses.is_empty() {
            return Ok(Vec::new());
        }
        let now = Instant {
            scene: self.scene(world),
            tool: world.tool(),
        };
        let instant = self.past.front().unwrap_or(&now);
        let mut frames = Vec::with_capacity(self.lenses.len());
        for lens in &mut self.lenses {
            let Lens {
                config,
                camera,
                effects,
            } = lens;
            let name = config.view.name();
            let failed = |source| SimError::Camera {
                camera: name.to_owned(),
                source,
            };
            let placed = match config.view {
                View::Front => *camera,
                View::Wrist => on_hand(camera, &instant.tool),
            };
            let mut image = vec![0; placed.image_len()];
            self.renderer
                .render(&instant.scene, &placed, &mut image)
                .map_err(failed)?;
            effects
                .apply(&mut image, config.width, config.height, tick)
                .map_err(failed)?;
            frames.push(Frame {
                camera: name.to_owned(),
                stamp,
                width: config.width,
                height: config.height,
                data: Arc::from(image),
            });
        }
        Ok(frames)
    }
}

/// The camera as it is without a shift; the wrist's in the frame of the tool.
fn nominal(view: View) -> Camera {
    match view {
        View::Front => Camera::look_at(
            Vec3::new(0.98, -0.48, 0.66),
            Vec3::new(0.44, 0.0, 0.07),
            Vec3::Z,
            0.70,
            96,
            96,
        ),
        View::Wrist => Camera::look_at(
            Vec3::new(0.080, 0.0, -0.085),
            Vec3::new(0.030, 0.0, 0.0),
            Vec3::X,
            1.25,
            96,
            96,
        ),
    }
}

/// The camera of an unshifted world, placed in it.
pub(crate) fn nominal_camera(view: View, tool: &Pose) -> Camera {
    match view {
        View::Front => nominal(view),
        View::Wrist => on_hand(&nominal(view), tool),
    }
}

/// A camera given in the frame of the tool, in the world.
fn on_hand(camera: &Camera, tool: &Pose) -> Camera {
    let local = Pose::new(camera.position.as_dvec3(), wide(camera.rotation));
    let placed = tool.compose(&local);
    Camera {
        position: placed.position.as_vec3(),
        rotation: placed.orientation.as_quat(),
        ..*camera
    }
}

fn wide(rotation: Quat) -> DQuat {
    rotation.as_dquat().normalize()
}
