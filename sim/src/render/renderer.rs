//! The renderer: makes a frame ready, draws its rows of tiles, smooths its edges.

use rayon::prelude::*;

use super::RenderError;
use super::camera::Camera;
use super::scene::Scene;
use super::solid::{Lighting, Solid};
use super::tile::{Frame, Lists, TILE};

/// Most shapes that a scene may have.
pub const MAX_SHAPES: usize = 32_768;

/// Draws scenes. Keep one per camera: its buffers grow to the size of the job at the first picture
/// and are used again for the next ones.
///
/// ```
/// use cerebellum_sim::render::{Camera, Geometry, Material, Renderer, Scene, Shape};
/// use glam::{Quat, Vec3};
///
/// let mut scene = Scene::default();
/// scene.shapes.push(Shape {
///     geometry: Geometry::Ball { radius: 0.1 },
///     position: Vec3::ZERO,
///     rotation: Quat::IDENTITY,
///     material: Material::plain([0.8, 0.1, 0.1]),
/// });
/// let camera = Camera::look_at(Vec3::X, Vec3::ZERO, Vec3::Z, 0.5, 96, 96);
/// let mut image = vec![0; camera.image_len()];
/// Renderer::new().render(&scene, &camera, &mut image)?;
/// # Ok::<(), cerebellum_sim::render::RenderError>(())
/// ```
#[derive(Debug)]
pub struct Renderer {
    parallel: bool,
    smoothing: bool,
    solids: Vec<Solid>,
    /// One key per pixel, see [`super::packet::Packet::key`].
    keys: Vec<f32>,
    /// One per row of tiles.
    lists: Vec<Lists>,
    /// Whether tiles look only at the shapes that they can meet.
    #[cfg(test)]
    pub(super) cull: bool,
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer {
    /// A renderer that works on the calling thread.
    pub const fn new() -> Self {
        Self {
            parallel: false,
            smoothing: true,
            solids: Vec::new(),
            keys: Vec::new(),
            lists: Vec::new(),
            #[cfg(test)]
            cull: true,
        }
    }

    /// Spreads rows of tiles over rayon's threads, or not (as at first). The pictures are the same;
    /// it is of use when fewer pictures than cores are made at a time.
    #[must_use]
    pub const fn with_threads(mut self, on: bool) -> Self {
        self.parallel = on;
        self
    }

    /// Smooths edges (as at first) or not, which takes half the time.
    #[must_use]
    pub const fn with_smoothing(mut self, on: bool) -> Self {
        self.smoothing = on;
        self
    }

    /// Draws the scene into `image`: rgb8, rows from top to bottom, [`Camera::image_len`] bytes.
    ///
    /// Does not allocate unless the image or the number of shapes is larger than ever before.
    ///
    /// # Errors
    /// When the camera or the number of shapes is out of range or the buffer has another length. The
    /// image is then left as it was.
    pub fn render(
        &mut self,
        scene: &Scene,
        camera: &Camera,
        image: &mut [u8],
    ) -> Result<(), RenderError> {
        let view = camera.view()?;
        if scene.shapes.len() > MAX_SHAPES {
            return Err(RenderError::TooManyShapes(scene.shapes.len()));
        }
        if image.len() != camera.image_len() {
            return Err(RenderError::BufferLength {
                expected: camera.image_len(),
                got: image.len(),
            });
        }
        let lighting = Lighting::new(scene.light.direction);
        self.solids.clear();
        self.solids.reserve(scene.shapes.len());
        self.solids.extend(
            scene
                .shapes
                .iter()
                .enumerate()
                .filter_map(|(id, shape)| Solid::new(shape, id, &view, &lighting)),
        );
        #[cfg(test)]
        if !self.cull {
            self.solids.iter_mut().for_each(Solid::forget_bounds);
        }
        self.solids
            .sort_unstable_by(|a, b| a.near.total_cmp(&b.near).then(a.id.total_cmp(&b.id)));

        let (width, height) = (camera.width as usize, camera.height as usize);
        self.keys.resize(width * height, 0.0);
        // Never fewer, so that a small picture between large ones costs no memory anew.
        let rows = height.div_ceil(TILE).max(self.lists.len());
        self.lists.resize_with(rows, Lists::default);
        for lists in &mut self.lists {
            lists.reserve(self.solids.len());
        }
        let frame = Frame::new(scene, view, width, height, &lighting, &self.solids);

        let band = TILE * width;
        if self.parallel {
            image
                .par_chunks_mut(band * 3)
                .zip(self.keys.par_chunks_mut(band))
                .zip(&mut self.lists)
                .enumerate()
                .for_each(|(row, ((pixels, keys), lists))| frame.draw(row, pixels, keys, lists));
            if self.smoothing {
                let keys = &self.keys;
                image
                    .par_chunks_mut(band * 3)
                    .zip(&mut self.lists)
                    .enumerate()
                    .for_each(|(row, (pixels, lists))| frame.smooth(row, pixels, keys, lists));
            }
        } else {
            for (row, ((pixels, keys), lists)) in image
                .chunks_mut(band * 3)
                .zip(self.keys.chunks_mut(band))
                .zip(&mut self.lists)
                .enumerate()
            {
                frame.draw(row, pixels, keys, lists);
            }
            if self.smoothing {
                for (row, (pixels, lists)) in
                    image.chunks_mut(band * 3).zip(&mut self.lists).enumerate()
                {
                    frame.smooth(row, pixels, &self.keys, lists);
                }
            }
        }
        Ok(())
    }
}
