//! Tiles of 8 x 8 pixels: which shapes matter to one, running its rays, smoothing its edges.

use glam::{Mat3, Vec2, Vec3};

use super::bounds::Region;
use super::camera::View;
use super::lanes::{Lanes, select, splat, sqrt};
use super::packet::{Brightness, Packet};
use super::scene::Scene;
use super::solid::{Lighting, Solid};

/// Side of a tile in pixels.
pub(super) const TILE: usize = 8;
/// Packets of four rays that a tile runs together.
const BATCH: usize = TILE * TILE / 4;

/// Everything about a frame that its tiles share.
pub(super) struct Frame<'a> {
    view: View,
    width: usize,
    height: usize,
    /// Sorted by their nearest depth.
    solids: &'a [Solid],
    brightness: Brightness,
    /// The eye and the axes of the camera in coordinates across (x, y) and along (z) the light.
    light_eye: Vec3,
    light_axes: Mat3,
    shadows: bool,
}

/// Lists of shapes, kept between tiles to save allocations.
#[derive(Debug, Default)]
pub(super) struct Lists {
    candidates: Vec<u16>,
    casters: Vec<u16>,
}

impl Lists {
    /// Makes room for a number of shapes.
    pub(super) fn reserve(&mut self, shapes: usize) {
        self.candidates.clear();
        self.candidates.reserve(shapes);
        self.casters.clear();
        self.casters.reserve(shapes);
    }
}

impl<'a> Frame<'a> {
    pub(super) fn new(
        scene: &Scene,
        view: View,
        width: usize,
        height: usize,
        lighting: &Lighting,
        solids: &'a [Solid],
    ) -> Self {
        let to_light = lighting.axes.transpose();
        Self {
            view,
            width,
            height,
            solids,
            brightness: Brightness {
                lamp: scene.light.intensity,
                ambient: scene.ambient,
                background: scene.background,
            },
            light_eye: to_light * view.eye,
            light_axes: to_light * view.axes,
            shadows: scene.shadows,
        }
    }

    /// Draws one ray per pixel into a row of tiles, and notes the keys of the pixels.
    pub(super) fn draw(&self, row: usize, pixels: &mut [u8], keys: &mut [f32], lists: &mut Lists) {
        let top = row * TILE;
        let rows = TILE.min(self.height - top);
        let centre = splat(0.5);
        let step = Lanes::new(0.5, 1.5, 2.5, 3.5);
        for left in (0..self.width).step_by(TILE) {
            let columns = TILE.min(self.width - left);
            self.find_candidates([left, left + columns], [top, top + rows], lists);
            let mut batch = [Packet::new(centre, centre); BATCH];
            for (index, packet) in batch.iter_mut().enumerate() {
                let column = splat((left + index % 2 * 4) as f32) + step;
                *packet = self.rays(column, splat((top + index / 2) as f32) + centre);
            }
            let used = &mut batch[..rows * 2];
            self.run(used, lists);
            for (index, packet) in used.iter().enumerate() {
                let (x, y) = (left + index % 2 * 4, index / 2);
                let count = self.width.saturating_sub(x).min(4);
                let start = y * self.width + x.min(self.width);
                let (color, key) = (packet.radiance(), packet.key().to_array());
                let [red, green, blue] = [color.x, color.y, color.z].map(encode);
                let pixels = &mut pixels[start * 3..(start + count) * 3];
                for (lane, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                    pixel.copy_from_slice(&[red[lane], green[lane], blue[lane]]);
                }
                keys[start..start + count].copy_from_slice(&key[..count]);
            }
        }
    }

    /// Draws the pixels of a row of tiles again, with four rays, whose key differs from a neighbour.
    pub(super) fn smooth(&self, row: usize, pixels: &mut [u8], keys: &[f32], lists: &mut Lists) {
        let top = row * TILE;
        let rows = TILE.min(self.height - top);
        for left in (0..self.width).step_by(TILE) {
            let columns = TILE.min(self.width - left);
            let mut edges = [(0, 0); TILE * TILE];
            let mut count = 0;
            for y in top..top + rows {
                for x in left..left + columns {
                    if self.is_edge(keys, x, y) {
                        edges[count] = (x, y);
                        count += 1;
                    }
                }
            }
            if count == 0 {
                continue;
            }
            self.find_candidates([left, left + columns], [top, top + rows], lists);
            for edges in edges[..count].chunks(BATCH) {
                self.supersample(edges, top, pixels, lists);
            }
        }
    }

    fn is_edge(&self, keys: &[f32], x: usize, y: usize) -> bool {
        let at = y * self.width + x;
        let key = keys[at];
        (x > 0 && keys[at - 1] != key)
            || (x + 1 < self.width && keys[at + 1] != key)
            || (y > 0 && keys[at - self.width] != key)
            || (y + 1 < self.height && keys[at + self.width] != key)
    }

    /// Sets pixels to the mean of four rays each; `top` is the row that `pixels` begins with.
    fn supersample(
        &self,
        edges: &[(usize, usize)],
        top: usize,
        pixels: &mut [u8],
        lists: &mut Lists,
    ) {
        // A square turned so that no two rays share a row or a column.
        let dx = Lanes::new(0.375, 0.875, 0.125, 0.625);
        let dy = Lanes::new(0.125, 0.375, 0.625, 0.875);
        let mut batch = [Packet::new(dx, dy); BATCH];
        for (packet, &(x, y)) in batch.iter_mut().zip(edges) {
            *packet = self.rays(splat(x as f32) + dx, splat(y as f32) + dy);
        }
        let used = &mut batch[..edges.len()];
        self.run(used, lists);
        for (packet, &(x, y)) in used.iter().zip(edges) {
            let color = packet.radiance();
            let mean = |lanes: Lanes| {
                let [a, b, c, d] = lanes.to_array();
                ((a + b) + (c + d)) * 0.25
            };
            let [red, green, blue, _] =
                encode(Lanes::new(mean(color.x), mean(color.y), mean(color.z), 0.0));
            let start = ((y - top) * self.width + x) * 3;
            pixels[start..start + 3].copy_from_slice(&[red, green, blue]);
        }
    }

    /// Lists the shapes that rays through these pixels may meet.
    fn find_candidates(&self, columns: [usize; 2], rows: [usize; 2], lists: &mut Lists) {
        let corner = |column: usize, row: usize| {
            Vec2::new(
                self.view.left + column as f32 * self.view.pixel,
                self.view.top + row as f32 * self.view.pixel,
            )
        };
        let tile = Region::rectangle(corner(columns[0], rows[0]), corner(columns[1], rows[1]));
        lists.candidates.clear();
        for (index, solid) in self.solids.iter().enumerate() {
            if solid.bounds.meets(&tile) {
                lists.candidates.push(index as u16);
            }
        }
    }

    /// A packet of rays through pixel coordinates; whole numbers are the corners of pixels.
    #[inline(always)]
    fn rays(&self, column: Lanes, row: Lanes) -> Packet {
        let pixel = splat(self.view.pixel);
        Packet::new(
            splat(self.view.left) + column * pixel,
            splat(self.view.top) + row * pixel,
        )
    }

    /// Runs rays that lie within the tile of the candidates, up to [`BATCH`] packets of them.
    fn run(&self, packets: &mut [Packet], lists: &mut Lists) {
        for packet in packets.iter_mut() {
            let found = packet.trace(self.solids, &lists.candidates);
            packet.look(self.solids, found, &self.brightness);
        }
        if !self.shadows || !self.find_casters(packets, &mut lists.casters) {
            return;
        }
        for packet in packets.iter_mut() {
            packet.shade(self.solids, &lists.casters);
        }
    }

    /// Lists the shapes that may shade the points found; false if there are none.
    fn find_casters(&self, packets: &[Packet], casters: &mut Vec<u16>) -> bool {
        let far = splat(1e9);
        let (mut low_x, mut low_y, mut low_z) = (far, far, far);
        let (mut high_x, mut high_y) = (-far, -far);
        let axes = &self.light_axes;
        for packet in packets {
            // Where in the light the point is.
            let along = |eye: f32, right: f32, down: f32, forward: f32| {
                splat(eye)
                    + packet.depth
                        * (splat(forward) + packet.x * splat(right) + packet.y * splat(down))
            };
            let x = along(
                self.light_eye.x,
                axes.x_axis.x,
                axes.y_axis.x,
                axes.z_axis.x,
            );
            let y = along(
                self.light_eye.y,
                axes.x_axis.y,
                axes.y_axis.y,
                axes.z_axis.y,
            );
            let z = along(
                self.light_eye.z,
                axes.x_axis.z,
                axes.y_axis.z,
                axes.z_axis.z,
            );
            let lit = packet.direct.cmpgt(splat(0.0));
            low_x = low_x.min(select(lit, x, far));
            low_y = low_y.min(select(lit, y, far));
            low_z = low_z.min(select(lit, z, far));
            high_x = high_x.max(select(lit, x, -far));
            high_y = high_y.max(select(lit, y, -far));
        }
        let region = Region::rectangle(
            Vec2::new(low_x.min_element(), low_y.min_element()),
            Vec2::new(high_x.max_element(), high_y.max_element()),
        );
        casters.clear();
        if region.low.x > region.high.x {
            return false;
        }
        let floor = low_z.min_element();
        for (index, solid) in self.solids.iter().enumerate() {
            if solid.shadow.top > floor && solid.shadow.region.meets(&region) {
                casters.push(index as u16);
            }
        }
        !casters.is_empty()
    }
}

/// Linear light to bytes: the square root stands for gamma 2.2.
#[inline(always)]
fn encode(linear: Lanes) -> [u8; 4] {
    let bounded = linear.max(splat(0.0)).min(splat(1.0));
    (sqrt(bounded) * splat(255.0) + splat(0.5))
        .to_array()
        .map(|value| value as u8)
}
