//! Augmentation: in training every example is seen a little otherwise at each step, in prediction as it is. Images are read anew where random numbers say
//! (`ops/affine`); what lies beyond the edges is 0.

use super::{Build, image};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::NodeId;
use crate::nn::Mode;
use crate::nn::args::names;
use crate::nn::build::LayerCx;

names! {
    /// Along which axes images are mirrored.
    pub enum FlipMode as "mode" {
        /// Left and right change places.
        Horizontal = "horizontal",
        /// Top and bottom do.
        Vertical = "vertical",
        /// Each of the two, independently.
        HorizontalAndVertical = "horizontal_and_vertical",
    }

    /// What lies beyond an image's edges. Keras can also continue the image; it has to be said, since that is Keras's default.
    pub enum FillMode as "fill_mode" {
        /// 0.
        Constant = "constant",
    }
}

spec! {
    /// Images mirrored at random, each with probability ½ (Keras's `RandomFlip`): `[N, H, W, C]`, as all these layers but the last.
    pub struct RandomFlip {
        /// Along which axes.
        mode: FlipMode = FlipMode::HorizontalAndVertical;
    }

    /// Images shifted at random, uniformly up to these shares of their height and width either way (Keras's `RandomTranslation`).
    pub struct RandomTranslation {
        /// Share of the height.
        height_factor: f64;
        /// Share of the width.
        width_factor: f64;
        /// What comes in at the edges.
        fill_mode: FillMode;
    }

    /// Images turned at random around their centres, uniformly up to this share of a full turn either way (Keras's `RandomRotation`).
    pub struct RandomRotation {
        /// Share of 2π.
        factor: f64;
        /// What comes in at the edges.
        fill_mode: FillMode;
    }

    /// Images scaled at random around their centres: a pixel of the result covers between 1 − factor and 1 + factor pixels, uniformly (Keras's `RandomZoom`).
    pub struct RandomZoom {
        /// For the height.
        height_factor: f64;
        /// For the width; if none, the same random number as for the height.
        width_factor: Option<f64> = None;
        /// What comes in at the edges.
        fill_mode: FillMode;
    }

    /// x + stddev · z, with z standard normal, drawn by Box and Muller's formula √(−2 ln u) cos 2πv (Keras's `GaussianNoise`); of any shape.
    pub struct GaussianNoise {
        /// Standard deviation.
        stddev: f64;
    }
}

/// One of the six numbers of each image.
enum Entry {
    /// For all the same.
    Fixed(f32),
    /// For each its own, `[N, 1]`.
    Drawn(NodeId),
}

/// A random number for each image, `[N, 1]`, uniform between centre − spread and centre + spread.
fn draw(cx: &mut LayerCx, x: NodeId, centre: f64, spread: f64) -> Result<NodeId> {
    let batch = cx.graph.shape(x)[0];
    cx.graph.random_uniform([batch, 1], (centre - spread) as f32, (centre + spread) as f32)
}

/// Images read at (a x + b y + c, d x + e y + f).
fn read(cx: &mut LayerCx, x: NodeId, entries: [Entry; 6]) -> Result<NodeId> {
    let batch = cx.graph.shape(x)[0];
    let mut columns = Vec::with_capacity(6);
    for entry in entries {
        columns.push(match entry {
            Entry::Drawn(node) => node,
            Entry::Fixed(number) => {
                let number = cx.graph.constant(number);
                cx.graph.broadcast_to(number, [batch, 1])?
            }
        });
    }
    let transform = cx.graph.concat(&columns, 1)?;
    cx.name(transform, "transform");
    cx.graph.affine_transform(x, transform)
}

/// `scale` times a plus `shift`.
fn linear(cx: &mut LayerCx, a: NodeId, scale: f32, shift: f32) -> Result<NodeId> {
    let scaled = cx.graph.scale(a, scale)?;
    let shift = cx.graph.constant(shift);
    cx.graph.add(scaled, shift)
}

fn check(name: &str, factor: f64, most: f64) -> Result<()> {
    match (0.0..=most).contains(&factor) {
        true => Ok(()),
        false => Err(out_of_range(name, &format!("between 0 and {most}"), factor)),
    }
}

/// Half of the distance from the first to the last pixel.
fn centre(extent: usize) -> f32 {
    (extent - 1) as f32 / 2.0
}

impl Build for RandomFlip {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, _] = image("RandomFlip", cx.graph.shape(x))?;
        if cx.mode != Mode::Train {
            return Ok(x);
        }
        // −1 or 1 for each image, and where its first pixel then is read: x ↦ s x + (1 − s) (W − 1) / 2.
        let mut along = |mirrored: bool, extent: usize| -> Result<[Entry; 2]> {
            if !mirrored {
                return Ok([Entry::Fixed(1.0), Entry::Fixed(0.0)]);
            }
            let drawn = draw(cx, x, 0.0, 1.0)?;
            let zero = cx.graph.constant(0.0);
            let flag = cx.graph.greater(drawn, zero)?;
            let sign = linear(cx, flag, 2.0, -1.0)?;
            Ok([Entry::Drawn(sign), Entry::Drawn(linear(cx, sign, -centre(extent), centre(extent))?)])
        };
        let [a, c] = along(self.mode != FlipMode::Vertical, width)?;
        let [e, f] = along(self.mode != FlipMode::Horizontal, height)?;
        read(cx, x, [a, Entry::Fixed(0.0), c, Entry::Fixed(0.0), e, f])
    }
}

impl Build for RandomTranslation {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, _] = image("RandomTranslation", cx.graph.shape(x))?;
        check("height_factor", self.height_factor, 1.0)?;
        check("width_factor", self.width_factor, 1.0)?;
        if cx.mode != Mode::Train {
            return Ok(x);
        }
        let right = draw(cx, x, 0.0, self.width_factor * width as f64)?;
        let down = draw(cx, x, 0.0, self.height_factor * height as f64)?;
        read(cx, x, [Entry::Fixed(1.0), Entry::Fixed(0.0), Entry::Drawn(right), Entry::Fixed(0.0), Entry::Fixed(1.0), Entry::Drawn(down)])
    }
}

impl Build for RandomRotation {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, _] = image("RandomRotation", cx.graph.shape(x))?;
        check("factor", self.factor, 1.0)?;
        if cx.mode != Mode::Train {
            return Ok(x);
        }
        let angle = draw(cx, x, 0.0, self.factor * std::f64::consts::TAU)?;
        cx.name(angle, "angle");
        let (cos, sin) = (cx.graph.cos(angle)?, cx.graph.sin(angle)?);
        let minus_sin = cx.graph.neg(sin)?;
        // The centre stays where it is.
        let (across, down) = (centre(width), centre(height));
        let mut stays = |by_cos: f32, by_sin: f32, at: f32| -> Result<NodeId> {
            let (cosines, sines) = (cx.graph.scale(cos, by_cos)?, linear(cx, sin, by_sin, at)?);
            cx.graph.add(cosines, sines)
        };
        let (c, f) = (stays(-across, down, across)?, stays(-down, -across, down)?);
        read(cx, x, [cos, minus_sin, c, sin, cos, f].map(Entry::Drawn))
    }
}

impl Build for RandomZoom {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        let [height, width, _] = image("RandomZoom", cx.graph.shape(x))?;
        check("height_factor", self.height_factor, 0.99)?;
        check("width_factor", self.width_factor.unwrap_or(0.0), 0.99)?;
        if cx.mode != Mode::Train {
            return Ok(x);
        }
        let e = draw(cx, x, 1.0, self.height_factor)?;
        let a = match self.width_factor {
            Some(factor) => draw(cx, x, 1.0, factor)?,
            None => e,
        };
        let (c, f) = (linear(cx, a, -centre(width), centre(width))?, linear(cx, e, -centre(height), centre(height))?);
        read(cx, x, [Entry::Drawn(a), Entry::Fixed(0.0), Entry::Drawn(c), Entry::Fixed(0.0), Entry::Drawn(e), Entry::Drawn(f)])
    }
}

impl Build for GaussianNoise {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        check("stddev", self.stddev, 1e6)?;
        if cx.mode != Mode::Train {
            return Ok(x);
        }
        let shape = cx.graph.shape(x).clone();
        // In (0, 1], since 0 has no logarithm.
        let u = cx.graph.random_uniform(shape.clone(), 1.0, 0.0)?;
        let v = cx.graph.random_uniform(shape, 0.0, std::f32::consts::TAU)?;
        let log = cx.graph.log(u)?;
        let square = cx.graph.scale(log, -2.0)?;
        let (length, direction) = (cx.graph.sqrt(square)?, cx.graph.cos(v)?);
        let normal = cx.graph.mul(length, direction)?;
        cx.name(normal, "normal");
        let noise = cx.graph.scale(normal, self.stddev as f32)?;
        cx.graph.add(x, noise)
    }
}
