//! Positions without a table to learn: sines and cosines of many wavelengths, added to vectors or turning queries and keys. They are computed once, in
//! double precision, and lie beside the moving averages: what no gradient changes.

use super::{Build, sequence};
use crate::error::Result;
use crate::fields::{out_of_range, spec};
use crate::graph::{Initializer, NodeId};
use crate::nn::Init;
use crate::nn::build::LayerCx;

spec! {
    /// For each example of `[N, T, C]`, to be added to it: column 2i of position t is sin(t / w^(2i/C)), column 2i + 1 the cosine of the same angle, with
    /// w the longest wavelength over 2π (KerasHub's `SinePositionEncoding`; Vaswani et al. 2017).
    pub struct SinePositionEncoding: Default {
        /// w.
        max_wavelength: f64 = 10_000.0;
    }
}

/// A function of the angle at each position and column.
fn table(length: usize, columns: usize, value: impl Fn(f64, usize) -> f64) -> Init {
    let cells = (0..length).flat_map(|t| (0..columns).map(move |column| (t, column)));
    Init(Initializer::Values { values: cells.map(|(t, column)| value(t as f64, column)).collect() })
}

fn check_wavelength(name: &str, wavelength: f64) -> Result<()> {
    match wavelength.is_finite() && wavelength > 0.0 {
        true => Ok(()),
        false => Err(out_of_range(name, "above 0", wavelength)),
    }
}

impl Build for SinePositionEncoding {
    fn build(&self, cx: &mut LayerCx, x: NodeId) -> Result<NodeId> {
        check_wavelength("max_wavelength", self.max_wavelength)?;
        let shape = cx.graph.shape(x).clone();
        let [length, width] = sequence("SinePositionEncoding", &shape)?;
        let positions = cx.positions(length);
        let sines = table(positions, width, |t, column| {
            let angle = t / self.max_wavelength.powf((column & !1) as f64 / width as f64);
            if column % 2 == 0 { angle.sin() } else { angle.cos() }
        });
        let table = cx.statistic("positions", &[positions, width], &sines)?;
        let rows = cx.rows(table, length)?;
        cx.graph.broadcast_to(rows, shape)
    }
}

/// Turns by the position: of a vector of D numbers, the pair (i, i + D/2) at position t by the angle t / w^(2i/D), so that a product of two vectors depends
/// on how far they are apart (KerasHub's `RotaryEmbedding`; Su et al. 2021).
pub(super) struct Rotary {
    cos: NodeId,
    sin: NodeId,
    half: usize,
}

impl Rotary {
    /// For a sequence of `length` vectors of `dim` numbers; `name` is what the caller calls these.
    pub fn new(cx: &mut LayerCx, name: &str, [length, dim]: [usize; 2], max_wavelength: f64) -> Result<Self> {
        check_wavelength("rope_max_wavelength", max_wavelength)?;
        if dim % 2 == 1 {
            return Err(out_of_range(name, "even, since rotary positions turn pairs", dim));
        }
        let (half, positions) = (dim / 2, cx.positions(length));
        let mut turned = |role: &str, function: fn(f64) -> f64| {
            let values = table(positions, half, |t, i| function(t / max_wavelength.powf(i as f64 / half as f64)));
            let table = cx.statistic(role, &[positions, half], &values)?;
            cx.rows(table, length)
        };
        Ok(Self { cos: turned("rotary.cos", f64::cos)?, sin: turned("rotary.sin", f64::sin)?, half })
    }

    /// `[..., T, D]` turned.
    pub fn turn(&self, cx: &mut LayerCx, x: NodeId, name: &str) -> Result<NodeId> {
        let axis = cx.graph.shape(x).rank() - 1;
        let [a, b] = [cx.graph.slice_axis(x, axis, 0, self.half)?, cx.graph.slice_axis(x, axis, self.half, 2 * self.half)?];
        let products = [cx.graph.mul(a, self.cos)?, cx.graph.mul(b, self.sin)?, cx.graph.mul(b, self.cos)?, cx.graph.mul(a, self.sin)?];
        let [a, b] = [cx.graph.sub(products[0], products[1])?, cx.graph.add(products[2], products[3])?];
        let turned = cx.graph.concat(&[a, b], axis)?;
        cx.name(turned, name);
        Ok(turned)
    }
}
