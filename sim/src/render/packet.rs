//! Four rays on their way: trace, look at the surface, ask for the lamp, add up the light.

use super::intersect::MISS;
use super::lanes::{Lanes, Lanes3, Mask, select, splat};
use super::solid::Solid;

/// Number of the thing that rays meet which meet nothing.
const NOTHING: f32 = -1.0;

/// Four rays through the image plane and what they found.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    /// Image plane coordinates.
    pub(super) x: Lanes,
    pub(super) y: Lanes,
    pub(super) depth: Lanes,
    /// Number of the shape met, or [`NOTHING`].
    id: Lanes,
    color: Lanes3,
    /// Light from everywhere, and from the lamp if nothing is in between.
    indirect: Lanes,
    pub(super) direct: Lanes,
    /// Lanes that the lamp does not reach because of another shape.
    shaded: Mask,
    part: Lanes,
}

/// Light of a scene that does not depend on the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brightness {
    pub(super) lamp: f32,
    pub(super) ambient: f32,
    pub(super) background: [f32; 3],
}

impl Packet {
    /// Rays that have not met anything.
    #[inline(always)]
    pub(super) fn new(x: Lanes, y: Lanes) -> Self {
        let zero = splat(0.0);
        Self {
            x,
            y,
            depth: splat(MISS),
            id: splat(NOTHING),
            color: Lanes3::new(zero, zero, zero),
            indirect: splat(1.0),
            direct: zero,
            shaded: Mask::NONE,
            part: zero,
        }
    }

    /// Finds what the rays meet first. `candidates` index `solids`, the nearest bound first.
    #[inline(always)]
    pub(super) fn trace(&mut self, solids: &[Solid], candidates: &[u16]) -> [u16; 4] {
        let mut found = splat(NOTHING);
        for &index in candidates {
            let Some(solid) = solids.get(usize::from(index)) else {
                continue;
            };
            if self.depth.cmple(splat(solid.near)).all() {
                break;
            }
            let depth = solid.depths(self.x, self.y);
            let nearer = depth.cmplt(self.depth);
            self.depth = select(nearer, depth, self.depth);
            found = select(nearer, splat(f32::from(index)), found);
        }
        // Saturating: nothing becomes the index past the last one.
        found
            .to_array()
            .map(|index| if index < 0.0 { u16::MAX } else { index as u16 })
    }

    /// Looks at the surfaces that [`Packet::trace`] found.
    #[inline(always)]
    pub(super) fn look(&mut self, solids: &[Solid], found: [u16; 4], light: &Brightness) {
        let [red, green, blue] = light.background;
        self.color = Lanes3::new(splat(red), splat(green), splat(blue));
        let indices = Lanes::from_array(found.map(f32::from));
        for lane in 0..4 {
            if found[..lane].contains(&found[lane]) {
                continue;
            }
            let Some(solid) = solids.get(usize::from(found[lane])) else {
                continue;
            };
            let mask = indices.cmpeq(splat(f32::from(found[lane])));
            let depth = select(mask, self.depth, splat(1.0));
            let surface = solid.surface(self.x, self.y, depth);
            let sky = splat(0.78) + surface.towards_sky * splat(0.22);
            let lamp = surface.towards_light.max(splat(0.0));
            self.id = select(mask, splat(solid.id), self.id);
            self.color = Lanes3::select(mask, surface.color, self.color);
            self.indirect = select(mask, sky * splat(light.ambient), self.indirect);
            self.direct = select(mask, lamp * splat(light.lamp), self.direct);
            self.part = select(mask, surface.part, self.part);
        }
    }

    /// Takes the light of the lamp from lanes that the `casters` (indices into `solids`) shade.
    #[inline(always)]
    pub(super) fn shade(&mut self, solids: &[Solid], casters: &[u16]) {
        let mut open = self.direct.cmpgt(splat(0.0));
        for &index in casters {
            if !open.any() {
                break;
            }
            let Some(solid) = solids.get(usize::from(index)) else {
                continue;
            };
            // Solids are convex: a face that sees the lamp is not shaded by its own solid.
            let others = open & self.id.cmpne(splat(solid.id));
            if !others.any() {
                continue;
            }
            let depth = select(others, self.depth, splat(1.0));
            let blocked = others & solid.blocks(self.x, self.y, depth);
            self.shaded |= blocked;
            open &= !blocked;
        }
    }

    /// Linear color.
    #[inline(always)]
    pub(super) fn radiance(&self) -> Lanes3 {
        let direct = select(self.shaded, splat(0.0), self.direct);
        self.color.scaled(self.indirect + direct)
    }

    /// A whole number that differs wherever a picture has an edge: shape, part or shadow.
    #[inline(always)]
    pub(super) fn key(&self) -> Lanes {
        let shaded = select(self.shaded, splat(1.0), splat(0.0));
        self.id * splat(16.0) + self.part * splat(2.0) + shaded
    }
}
