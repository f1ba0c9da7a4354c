//! The table while a task is being set up.

use cerebellum_kinematics::Pose;
use glam::{DQuat, DVec2, DVec3};
use rand_chacha::ChaCha8Rng;
use rapier3d::dynamics::RigidBodyHandle;
use rapier3d::math::Vector;

use super::words::{Slot, Words};
use crate::Color;
use crate::physics::{Part, World};
use crate::random::{between, index, shuffle};
use crate::render::{Material, Texture, perturb_color, perturb_texture, perturb_tone};

/// A rectangle of the table (m).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
    pub min: DVec2,
    pub max: DVec2,
}

impl Region {
    /// A rectangle from its least and greatest coordinates.
    pub(crate) const fn new(x: [f64; 2], y: [f64; 2]) -> Self {
        Self {
            min: DVec2::new(x[0], y[0]),
            max: DVec2::new(x[1], y[1]),
        }
    }
}

/// What a task needs to fill the table.
pub(crate) struct Stage<'a> {
    pub world: &'a mut World,
    /// Where things are and which they are.
    pub layout: &'a mut ChaCha8Rng,
    /// How things look.
    pub looks: &'a mut ChaCha8Rng,
    /// How the instruction is worded.
    pub words: &'a mut ChaCha8Rng,
    /// Whether to use words that training does not hear.
    pub unheard: bool,
    /// Levels of the knobs `colors`, `textures` and `distractors`.
    pub color_level: u8,
    pub texture_level: u8,
    pub distractor_level: u8,
    /// Places that are taken: centre and radius.
    pub taken: Vec<(DVec2, f64)>,
    /// The instruction, once the task has chosen it.
    pub instruction: String,
}

impl Stage<'_> {
    /// Chooses the words of the instruction.
    pub(crate) fn say(&mut self, words: &Words, slots: &[Slot]) {
        self.instruction = words.choose(self.unheard, slots, self.words);
    }

    /// The palette in random order.
    pub(crate) fn colors(&mut self) -> [Color; Color::ALL.len()] {
        let mut colors = Color::ALL;
        shuffle(self.layout, &mut colors);
        colors
    }

    /// Number of things that are not asked for: one of `count`, and more by the knob.
    pub(crate) fn distractors(&mut self, count: std::ops::RangeInclusive<usize>) -> usize {
        let choices = count.end() - count.start() + 1;
        count.start() + index(self.layout, choices) + usize::from(self.distractor_level)
    }

    /// A free place for something of the given radius, which is then taken.
    ///
    /// If the region is full, things are allowed to come nearer to each other little by little.
    pub(crate) fn place(&mut self, region: &Region, radius: f64) -> DVec2 {
        let mut slack = 1.0;
        loop {
            for _ in 0..60 {
                let place = DVec2::new(
                    between(self.layout, region.min.x, region.max.x),
                    between(self.layout, region.min.y, region.max.y),
                );
                let free = self
                    .taken
                    .iter()
                    .all(|(other, room)| other.distance(place) > slack * (room + radius));
                if free {
                    self.taken.push((place, radius));
                    return place;
                }
            }
            slack *= 0.9;
        }
    }

    /// A number for the layout, uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        between(self.layout, low, high)
    }

    /// Whether something optional is there, with the given probability.
    pub(crate) fn perhaps(&mut self, probability: f64) -> bool {
        between(self.layout, 0.0, 1.0) < probability
    }

    /// The look under the shift in force of a thing that instructions call by its color.
    pub(crate) fn named(&mut self, color: Color) -> Material {
        let tone = perturb_tone(color.linear(), self.color_level, self.looks);
        perturb_texture(
            Material::textured(tone, Texture::None, PATTERN_SCALE),
            self.texture_level,
            self.looks,
        )
    }

    /// The look of a thing of this linear color under the shift in force.
    pub(crate) fn look(&mut self, color: [f32; 3]) -> Material {
        self.dress(Material::plain(color), PATTERN_SCALE)
    }

    /// `material` under the shift in force; a plain one that gets a pattern gets `scale` cells per
    /// metre.
    pub(crate) fn dress(&mut self, mut material: Material, scale: f32) -> Material {
        material.color = perturb_color(material.color, self.color_level, self.looks);
        if material.texture == Texture::None {
            material.texture_scale = scale;
        }
        perturb_texture(material, self.texture_level, self.looks)
    }

    /// Adds a plate: a flat disc.
    pub(crate) fn plate(&mut self, at: DVec2) -> RigidBodyHandle {
        let look = self.look([0.85, 0.86, 0.84]);
        let rim = self.look([0.55, 0.60, 0.66]);
        let height = 0.5 * PLATE_HEIGHT as f32;
        let radius = PLATE_RADIUS as f32;
        let parts = [
            Part::cylinder(height, radius, rim),
            Part::cylinder(height, radius * 0.8, look)
                .at(Vector::new(0.0, 0.0, 0.0006))
                .painted(),
        ];
        let centre = at.extend(0.5 * PLATE_HEIGHT);
        self.world
            .add_fixed(&Pose::new(centre, DQuat::IDENTITY), &parts)
    }

    /// Adds a tray: a square box without a lid.
    pub(crate) fn tray(&mut self, at: DVec2, yaw: f64) -> RigidBodyHandle {
        let look = self.look([0.30, 0.33, 0.38]);
        let (inner, wall, height) = (TRAY_INNER as f32, 0.004, 0.5 * TRAY_WALL as f32);
        let floor = 0.5 * TRAY_FLOOR as f32;
        let side = inner + wall;
        let up = Vector::new(0.0, 0.0, height);
        let parts = [
            Part::cuboid([side, side, floor], look).at(Vector::new(0.0, 0.0, floor)),
            Part::cuboid([wall, side, height], look).at(up + Vector::X * side),
            Part::cuboid([wall, side, height], look).at(up - Vector::X * side),
            Part::cuboid([side, wall, height], look).at(up + Vector::Y * side),
            Part::cuboid([side, wall, height], look).at(up - Vector::Y * side),
        ];
        let pose = Pose::new(at.extend(0.0), DQuat::from_rotation_z(yaw));
        self.world.add_fixed(&pose, &parts)
    }

    /// Draws a line across the table at distance `x` from the robot.
    pub(crate) fn line(&mut self, x: f64) {
        let look = self.look([0.80, 0.80, 0.78]);
        let parts = [Part::cuboid([0.006, 0.30, 0.0004], look).painted()];
        let pose = Pose::new(DVec3::new(x, 0.0, 0.0004), DQuat::IDENTITY);
        self.world.add_fixed(&pose, &parts);
    }
}

/// Cells per metre of patterns on things.
const PATTERN_SCALE: f32 = 25.0;
/// Height of the plate (m).
pub(crate) const PLATE_HEIGHT: f64 = 0.008;
/// Radius of the plate (m).
pub(crate) const PLATE_RADIUS: f64 = 0.07;
/// Half of the tray's inner side (m).
pub(crate) const TRAY_INNER: f64 = 0.068;
/// Height of the tray's walls (m).
pub(crate) const TRAY_WALL: f64 = 0.03;
/// Thickness of the tray's floor (m).
pub(crate) const TRAY_FLOOR: f64 = 0.004;
