//! The tiled product that matrices and convolutions share on the GPU: C[m, n] = Σₖ A(m, k) B(k, n), where A and B are any WGSL expressions.
//! A workgroup of 256 threads makes a tile of C; each thread a strip of it, four columns wide. Where C is small and k long, k is split over
//! workgroups whose partial sums a second pass adds in a fixed order.

use crate::ops::kernel::{Dest, Pass, WORKGROUP, spread};

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
    /// A as an expression of `batch`, `row` and `k`; only evaluated within bounds.
    pub load_a: String,
    /// B as an expression of `batch`, `k` and `col`; only evaluated within bounds.
    pub load_b: String,
}

/// Depth of a tile: terms that are in workgroup memory at a time.
const DEPTH: usize = 16;
/// Columns of a thread's strip: one `vec4f`.
const STRIP: usize = 4;
/// Workgroups that keep a GPU busy.
const ENOUGH: usize = 64;
/// Least terms of a part when k is split.
const LEAST_PART: usize = 128;

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
    fn tile(&self) -> Tile {
        let large = match self.n {
            0..=16 => return Tile::new(16, 1),
            17..=32 => Tile::new(32, 2),
            _ => Tile::new(64, 4),
        };
        if large.count(self) >= ENOUGH { large } else { Tile::new(32, 1) }
    }

    /// One pass, or two where k is split.
    pub fn passes(&self) -> Vec<Pass> {
        let tile = self.tile();
        let tiles = tile.count(self);
        let parts = (ENOUGH / tiles.max(1)).min(self.k / LEAST_PART).max(1);
        let depth = self.k.div_ceil(parts).next_multiple_of(DEPTH);
        let parts = self.k.div_ceil(depth).max(1);
        let results = self.batch * self.m * self.n;
        if parts == 1 {
            return vec![self.product(tile, 1, depth)];
        }
        let sum = format!(
            "var total = 0.0; for (var part = 0u; part < {parts}u; part++) {{ total += temp0[part * {results}u + i]; }} store(i, total);"
        );
        let mut add = Pass::elementwise(results, &[], &sum);
        add.temps = vec![0];
        vec![self.product(tile, parts, depth), add]
    }

    fn product(&self, tile: Tile, parts: usize, depth: usize) -> Pass {
        let Tile { rows, cols, strip } = tile;
        let (row_tiles, col_tiles) = (self.m.div_ceil(rows), self.n.div_ceil(cols));
        let results = self.batch * self.m * self.n;
        let groups = self.batch * row_tiles * col_tiles * parts;
        let (grid, number) = spread(groups);
        let across = cols / STRIP;
        let each = |template: &str| -> String { (0..strip).map(|r| template.replace('#', &r.to_string())).collect() };
        let write = match parts {
            1 => "store(at, value);".to_owned(),
            _ => format!("temp0[part * {results}u + at] = value;"),
        };
        let body = format!(
            "{prelude}
fn a_(batch: u32, row: u32, k: u32, end: u32) -> f32 {{
    if (row >= {m}u || k >= end) {{ return 0.0; }}
    return {load_a};
}}
fn b_(batch: u32, k: u32, col: u32, end: u32) -> f32 {{
    if (col >= {n}u || k >= end) {{ return 0.0; }}
    return {load_b};
}}
fn write_(part: u32, batch: u32, row: u32, col: u32, value: f32) {{
    if (row >= {m}u || col >= {n}u) {{ return; }}
    let at = (batch * {m}u + row) * {n}u + col;
    {write}
}}

var<workgroup> tile_a: array<f32, {a_len}>;
var<workgroup> tile_b: array<vec4f, {b_len}>;

@compute @workgroup_size({WORKGROUP})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {{
    let number = min({number}, {last}u);
    let part = number % {parts}u;
    let col_tile = number / {parts}u % {col_tiles}u;
    let row_tile = number / {by_rows}u % {row_tiles}u;
    let batch = number / {by_batch}u;
    let col = lane % {across}u;
    let row = lane / {across}u * {strip}u;
    let first = part * {depth}u;
    let end = min(first + {depth}u, {k}u);
{accumulators}
    for (var k0 = first; k0 < end; k0 += {DEPTH}u) {{
        for (var i = lane; i < {a_len}u; i += {WORKGROUP}u) {{
            tile_a[i] = a_(batch, row_tile * {rows}u + i / {DEPTH}u, k0 + i % {DEPTH}u, end);
        }}
        for (var i = lane; i < {b_len}u; i += {WORKGROUP}u) {{
            let c = col_tile * {cols}u + i % {across}u * {STRIP}u;
            let k = k0 + i / {across}u;
            tile_b[i] = vec4f(b_(batch, k, c, end), b_(batch, k, c + 1u, end), b_(batch, k, c + 2u, end), b_(batch, k, c + 3u, end));
        }}
        workgroupBarrier();
        for (var k = 0u; k < {DEPTH}u; k++) {{
            let b = tile_b[k * {across}u + col];
{multiply}        }}
        workgroupBarrier();
    }}
    if ({number} > {last}u) {{ return; }}
    let top = row_tile * {rows}u + row;
    let left = col_tile * {cols}u + col * {STRIP}u;
{stores}}}
",
            prelude = self.prelude,
            m = self.m,
            n = self.n,
            k = self.k,
            load_a = self.load_a,
            load_b = self.load_b,
            a_len = rows * DEPTH,
            b_len = DEPTH * across,
            last = groups.max(1) - 1,
            by_rows = parts * col_tiles,
            by_batch = parts * col_tiles * row_tiles,
            accumulators = each("    var c# = vec4f();\n"),
            multiply = each(&format!("            c# += tile_a[(row + #u) * {DEPTH}u + k] * b;\n")),
            stores = each(
                "    write_(part, batch, top + #u, left, c#.x); write_(part, batch, top + #u, left + 1u, c#.y);
    write_(part, batch, top + #u, left + 2u, c#.z); write_(part, batch, top + #u, left + 3u, c#.w);\n"
            ),
        );
        let dest = if parts == 1 { Dest::Out } else { Dest::Temp(0, parts * results) };
        Pass { body, inputs: self.inputs.clone(), temps: Vec::new(), dest, grid }
    }
}
