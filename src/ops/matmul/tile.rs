//! The tiled product that matrices and convolutions share on the GPU: C[m, n] = Σₖ A(m, k) B(k, n), where A and B are any WGSL expressions.
//! A workgroup of 256 threads makes a tile of C; each thread a strip of it, four columns wide. Where that suits the device a thread works alone (see
//! [`registers`]). Where C is small and k long, k is split over workgroups whose partial sums a second pass adds in a fixed order.

use super::registers;
use crate::ops::kernel::{Dest, Pass, Products, WORKGROUP, spread};
use crate::ops::window::{quotient, remainder};

/// A product to be made.
#[derive(Clone, Debug)]
pub struct Gemm {
    /// Independent products.
    pub batch: usize,
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
    /// Inputs that the expressions load.
    pub inputs: Vec<usize>,
    /// Functions that the expressions call.
    pub prelude: String,
    /// What of a row of A does not depend on k, as a `vec4u` expression of `batch` and `row`: a thread computes it once for a row.
    pub place: String,
    /// What of a term does not depend on the row, as a `vec4u` expression of `k`.
    pub step: String,
    /// Position of A's element in input 0, as an expression of `at` (the row's place) and `step` (the term's).
    pub position: String,
    /// Whether it is there, as an expression of the same; else A is 0. None where all are.
    pub inside: Option<String>,
    /// Terms in a row, from each multiple of their number, whose positions are so far apart, and which are all there or none.
    pub run: (usize, usize),
    /// A at k, k + 1, k + 2, k + 3 as a `vec4f` expression of `at` and `k`, where that is cheaper than four times `position`. Only used where the
    /// number of terms is a multiple of 4, and so is `k`.
    pub load_quad: Option<String>,
    /// B as an expression of `batch`, `k` and `col`; only evaluated within bounds.
    pub load_b: String,
}

/// Most terms that are in workgroup memory at a time.
const DEPTH: usize = 16;
/// Columns of a thread's strip: one `vec4f`.
const STRIP: usize = 4;
/// Least terms of a part when k is split.
const LEAST_PART: usize = 512;

/// A tile of C: rows, columns, rows of a thread's strip.
#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    cols: usize,
    strip: usize,
}

impl Tile {
    const fn new(cols: usize, strip: usize) -> Self {
        Self { rows: WORKGROUP as usize * STRIP / cols * strip, cols, strip }
    }

    fn count(self, gemm: &Gemm) -> usize {
        gemm.batch * gemm.m.div_ceil(self.rows) * gemm.n.div_ceil(self.cols)
    }
}

impl Gemm {
    /// The largest tile of which there are that many, k split as far as it goes; a large one loads each operand less often.
    fn tile(&self, enough: usize) -> Tile {
        let cols = match self.n {
            0..=16 => 16,
            17..=32 => 32,
            _ => 64,
        };
        let parts = (self.k / LEAST_PART).max(1);
        let many = |tile: &Tile| tile.count(self) * parts >= enough;
        // Rows that C does not have would be computed for nothing.
        let filled = |tile: &Tile| tile.rows < 2 * self.m;
        let tiles = [4, 2].map(|strip| Tile::new(cols, strip));
        tiles.into_iter().find(|tile| filled(tile) && many(tile)).unwrap_or(Tile::new(cols.min(32), 1))
    }

    /// One pass, or two where k is split.
    pub fn passes(&self, products: Products) -> Vec<Pass> {
        let (product, parts) = match products {
            Products::Shared { enough } => self.product(enough),
            Products::Registers { size, enough } => registers::product(self, size, enough),
        };
        let results = self.batch * self.m * self.n;
        if parts == 1 {
            return vec![product];
        }
        let sum = format!(
            "var total = 0.0; for (var part = 0u; part < {parts}u; part++) {{ total += temp0[part * {results}u + i]; }} store(i, total);"
        );
        let mut add = Pass::elementwise(results, &[], &sum);
        add.temps = vec![0];
        vec![product, add]
    }

    /// Functions of both kinds of product: `place_`, `step_` and `write4_`, which writes four columns of a row.
    pub(super) fn functions(&self, parts: usize) -> String {
        let Gemm { batch, m, n, .. } = *self;
        let write = match parts {
            1 => "store(at, value);".to_owned(),
            _ => format!("temp0[part * {}u + at] = value;", batch * m * n),
        };
        format!(
            "{prelude}
fn place_(batch: u32, row: u32) -> vec4u {{ return {place}; }}
fn step_(k: u32) -> vec4u {{ return {step}; }}
fn position_(at: vec4u, step: vec4u) -> u32 {{ return {position}; }}
fn inside_(at: vec4u, step: vec4u) -> bool {{ return {inside}; }}
fn a_(at: vec4u, step: vec4u) -> f32 {{ return select(0.0, load0(position_(at, step)), inside_(at, step)); }}
fn write_(part: u32, batch: u32, row: u32, col: u32, value: f32) {{
    if (row >= {m}u || col >= {n}u) {{ return; }}
    let at = (batch * {m}u + row) * {n}u + col;
    {write}
}}
fn write4_(part: u32, batch: u32, row: u32, col: u32, c: vec4f) {{
    write_(part, batch, row, col, c.x); write_(part, batch, row, col + 1u, c.y);
    write_(part, batch, row, col + 2u, c.z); write_(part, batch, row, col + 3u, c.w);
}}",
            prelude = self.prelude,
            place = self.place,
            step = self.step,
            position = self.position,
            inside = self.inside.as_deref().unwrap_or("true"),
        )
    }

    /// Terms that are in workgroup memory at a time, a multiple of 4: a short sum needs no more than it has.
    fn tile_depth(&self) -> usize {
        self.k.next_multiple_of(4).clamp(4, DEPTH)
    }

    /// The pass that makes the products, or the partial sums of all parts of k one behind the other; and how many parts there are.
    fn product(&self, enough: usize) -> (Pass, usize) {
        let tile = self.tile(enough);
        let Tile { rows, cols, strip } = tile;
        let (run, stride) = self.run;
        let parts = (enough / tile.count(self).max(1)).min(self.k / LEAST_PART).max(1);
        let depth = self.k.div_ceil(parts).next_multiple_of(self.tile_depth());
        let parts = self.k.div_ceil(depth).max(1);
        let (row_tiles, col_tiles) = (self.m.div_ceil(rows), self.n.div_ceil(cols));
        let results = self.batch * self.m * self.n;
        let groups = self.batch * row_tiles * col_tiles * parts;
        let (grid, number) = spread(groups);
        let across = cols / STRIP;
        let tile_depth = self.tile_depth();
        let quads = tile_depth / 4;
        let each = |template: &str| -> String { (0..strip).map(|r| template.replace('#', &r.to_string())).collect() };
        let items = (rows * quads).div_ceil(WORKGROUP as usize);
        let each_item = |template: &str| -> String { (0..items).map(|n| template.replace('#', &n.to_string())).collect() };
        let places = each_item(&format!(
            "    let item# = min(lane + #u * {WORKGROUP}u, {last_item}u);
    let row# = row_tile * {rows}u + {item_row};
    let quad# = {item_quad} * 4u;
    let at# = place_(batch, min(row#, {last_row}u));
",
            last_item = rows * quads - 1,
            item_row = quotient("item#", quads),
            item_quad = remainder("item#", quads),
            last_row = self.m - 1,
        ));
        let multiply = each(&format!(
            "            let a# = tile_a[(row + #u) * {quads}u + k];
            c# += a#.x * b0; c# += a#.y * b1; c# += a#.z * b2; c# += a#.w * b3;\n"
        ));
        let guard_b = match self.n.is_multiple_of(STRIP) {
            true => String::new(),
            false => format!("if (col >= {}u) {{ return 0.0; }}", self.n),
        };
        let body = format!(
            "{functions}
fn a1_(at: vec4u, k: u32, end: u32) -> f32 {{
    if (k >= end) {{ return 0.0; }}
    return a_(at, step_(k));
}}
fn run4_(at: vec4u, k: u32) -> vec4f {{
    let step = step_(k);
    let i = position_(at, step);
    if (!inside_(at, step)) {{ return vec4f(); }}
    return vec4f(load0(i), load0(i + {stride}u), load0(i + {twice}u), load0(i + {thrice}u));
}}
fn a4_(at: vec4u, row: u32, k: u32, end: u32) -> vec4f {{
    if (row >= {m}u || k >= end) {{ return vec4f(); }}
    return {load_quad};
}}
fn b1_(batch: u32, k: u32, col: u32) -> f32 {{
    {guard_b}
    return {load_b};
}}
fn b4_(batch: u32, k: u32, col: u32, end: u32) -> vec4f {{
    if (col >= {n}u || k >= end) {{ return vec4f(); }}
    return vec4f(b1_(batch, k, col), b1_(batch, k, col + 1u), b1_(batch, k, col + 2u), b1_(batch, k, col + 3u));
}}

var<workgroup> tile_a: array<vec4f, {a_len}>;
var<workgroup> tile_b: array<vec4f, {b_len}>;

fn run(group: vec3u, lane: u32) {{
    let number = min({number}, {last}u);
    let part = number % {parts}u;
    let col_tile = number / {parts}u % {col_tiles}u;
    let row_tile = number / {by_rows}u % {row_tiles}u;
    let batch = number / {by_batch}u;
    let col = {col};
    let row = {row} * {strip}u;
    let first = part * {depth}u;
    let end = min(first + {depth}u, {k}u);
{places}{accumulators}
    for (var k0 = first; k0 < end; k0 += {tile_depth}u) {{
{loads}        for (var i = lane; i < {b_len}u; i += {WORKGROUP}u) {{
            tile_b[i] = b4_(batch, k0 + {b_row}, col_tile * {cols}u + {b_col} * {STRIP}u, end);
        }}
        workgroupBarrier();
        for (var k = 0u; k < {quads}u; k++) {{
            let b0 = tile_b[k * {four}u + col];
            let b1 = tile_b[k * {four}u + {across}u + col];
            let b2 = tile_b[k * {four}u + {two}u + col];
            let b3 = tile_b[k * {four}u + {three}u + col];
{multiply}        }}
        workgroupBarrier();
    }}
    if ({number} > {last}u) {{ return; }}
    let top = row_tile * {rows}u + row;
    let left = col_tile * {cols}u + col * {STRIP}u;
{stores}}}
",
            functions = self.functions(parts),
            m = self.m,
            n = self.n,
            k = self.k,
            twice = 2 * stride,
            thrice = 3 * stride,
            load_quad = match &self.load_quad {
                _ if run.is_multiple_of(4) => "run4_(at, k)".to_owned(),
                Some(quad) if self.k.is_multiple_of(4) => quad.clone(),
                _ => "vec4f(a1_(at, k, end), a1_(at, k + 1u, end), a1_(at, k + 2u, end), a1_(at, k + 3u, end))".to_owned(),
            },
            load_b = self.load_b,
            a_len = rows * quads,
            b_len = tile_depth * across,
            two = 2 * across,
            three = 3 * across,
            four = 4 * across,
            last = groups.max(1) - 1,
            by_rows = parts * col_tiles,
            by_batch = parts * col_tiles * row_tiles,
            col = remainder("lane", across),
            row = quotient("lane", across),
            b_row = quotient("i", across),
            b_col = remainder("i", across),
            accumulators = each("    var c# = vec4f();\n"),
            loads = each_item("        tile_a[item#] = a4_(at#, row#, k0 + quad#, end);\n"),
            stores = each("    write4_(part, batch, top + #u, left, c#);\n"),
        );
        let dest = if parts == 1 { Dest::Out } else { Dest::Temp(0, parts * results) };
        (Pass { dest, ..Pass::new(body, self.inputs.clone(), grid, WORKGROUP, 16 * (rows * quads + tile_depth * across)) }, parts)
    }
}
