//! WGSL of normalisations. Rows, and scattered groups, are made whole by a thread or a workgroup. Columns are long and few: parts of
//! them are summed up first, each around its own mean (Chan, Golub and LeVeque 1979), then the parts are put together, and then every
//! element is made by itself.

use super::layout::Layout;
use crate::ops::kernel::{Dest, Pass, Threads, literal};
use crate::ops::rows::{Fold, Rows};

/// Threads that keep a GPU busy.
const ENOUGH: usize = 16_384;
/// Least rows of a part.
const LEAST_PART: usize = 16;

pub(super) fn forward(layout: &Layout, epsilon: f32, threads: Threads) -> Vec<Pass> {
    if let Layout::Columns { rows, cols } = *layout {
        return Columns::new(rows, cols, epsilon, false).passes(threads);
    }
    let each = "let at = place(i, r); store(at, (load0(at) - mean) * scale);";
    whole(layout, epsilon, &[0], each, threads, |_| Vec::new())
}

pub(super) fn backward(layout: &Layout, epsilon: f32, threads: Threads) -> Vec<Pass> {
    if let Layout::Columns { rows, cols } = *layout {
        return Columns::new(rows, cols, epsilon, true).passes(threads);
    }
    let each = "let at = place(i, r); store(at, scale * (load1(at) - level - (load0(at) - mean) * scale * slope));";
    whole(layout, epsilon, &[0, 1], each, threads, |share| {
        let term = format!("load1(place(i, r)) * (load0(place(i, r)) - mean) * scale{share}");
        vec![Fold::sum("level", format!("load1(place(i, r)){share}")), Fold::sum("slope", term)]
    })
}

/// The pass that makes a group at a time; `more` gives the folds behind the statistics.
fn whole(layout: &Layout, epsilon: f32, inputs: &[usize], each: &str, threads: Threads, more: impl Fn(&str) -> Vec<Fold>) -> Vec<Pass> {
    let (count, length) = layout.extents();
    let share = format!(" / {length}.0");
    let mut folds = vec![
        Fold::sum("mean", format!("load0(place(i, r)){share}")),
        Fold::sum("variance", format!("square(load0(place(i, r)) - mean){share}")),
        Fold::of("scale", format!("inverseSqrt(variance + {})", literal(epsilon))),
    ];
    folds.extend(more(&share));
    let prelude = format!("{}fn square(x: f32) -> f32 {{ return x * x; }}\n", layout.place_function());
    vec![Rows { count, length, inputs: inputs.to_vec(), prelude, folds, each: Some(each.to_owned()), once: None }.pass(threads)]
}

/// A matrix whose columns are normalised.
struct Columns {
    rows: usize,
    cols: usize,
    epsilon: f32,
    backward: bool,
    /// Parts of each column, and rows of each.
    parts: usize,
    depth: usize,
}

impl Columns {
    fn new(rows: usize, cols: usize, epsilon: f32, backward: bool) -> Self {
        let parts = (ENOUGH / cols.max(1)).min(rows / LEAST_PART).max(1);
        let depth = rows.div_ceil(parts).max(1);
        Self { rows, cols, epsilon, backward, parts: rows.div_ceil(depth).max(1), depth }
    }

    fn inputs(&self) -> &'static [usize] {
        if self.backward { &[0, 1] } else { &[0] }
    }

    /// Numbers that are kept of each part, and of each column: mean and sum of squares, and the same of dy, and of dy times x.
    fn kept(&self) -> usize {
        if self.backward { 4 } else { 2 }
    }

    fn passes(&self, threads: Threads) -> Vec<Pass> {
        vec![self.partial(), self.together(threads), self.elements()]
    }

    /// Temporary 0: the numbers of part `p` of column `c` are at `[k][p][c]`.
    fn partial(&self) -> Pass {
        let Self { rows, cols, parts, depth, .. } = *self;
        let many = parts * cols;
        let mut code = format!(
            "let first = i / {cols}u * {depth}u;
    let last = min(first + {depth}u, {rows}u);
    let col = i % {cols}u;
    var sum = 0.0;
    for (var r = first; r < last; r++) {{ sum += load0(r * {cols}u + col); }}
    let mean = sum / f32(last - first);
    var squares = 0.0;
    for (var r = first; r < last; r++) {{ let d = load0(r * {cols}u + col) - mean; squares += d * d; }}
    temp0[i] = mean;
    temp0[i + {many}u] = squares;
"
        );
        if self.backward {
            code += &format!(
                "    var level = 0.0;
    var slope = 0.0;
    for (var r = first; r < last; r++) {{
        let dy = load1(r * {cols}u + col);
        level += dy;
        slope += dy * (load0(r * {cols}u + col) - mean);
    }}
    temp0[i + {}u] = level;
    temp0[i + {}u] = slope;
",
                2 * many,
                3 * many
            );
        }
        let mut pass = Pass::elementwise(many, self.inputs(), &code);
        pass.dest = Dest::Temp(0, self.kept() * many);
        pass
    }

    /// Temporary 1: mean, scale, and what dy − h·slope is less of, of column `c` at `[k][c]`.
    fn together(&self, threads: Threads) -> Pass {
        let Self { rows, cols, parts, depth, .. } = *self;
        let many = parts * cols;
        let part = |k: usize| format!("temp0[{}u + r * {cols}u + i]", k * many);
        let prelude = format!(
            "fn weight(r: u32) -> f32 {{ return f32(min({depth}u, {rows}u - r * {depth}u)); }}
fn square(x: f32) -> f32 {{ return x * x; }}\n"
        );
        let mut folds = vec![
            Fold::sum("mean", format!("{} * weight(r) / {rows}.0", part(0))),
            Fold::sum("squares", format!("{} + weight(r) * square({} - mean)", part(1), part(0))),
            Fold::of("scale", format!("inverseSqrt(squares / {rows}.0 + {})", literal(self.epsilon))),
        ];
        let mut once = format!("temp1[i] = mean; temp1[i + {cols}u] = scale;");
        if self.backward {
            folds.push(Fold::sum("level", format!("{} / {rows}.0", part(2))));
            folds.push(Fold::sum("slope", format!("({} + ({} - mean) * {}) / {rows}.0", part(3), part(0), part(2))));
            once += &format!(" temp1[i + {}u] = level; temp1[i + {}u] = slope * scale;", 2 * cols, 3 * cols);
        }
        let mut pass = Rows { count: cols, length: parts, inputs: Vec::new(), prelude, folds, each: None, once: Some(once) }.pass(threads);
        pass.temps = vec![0];
        pass.dest = Dest::Temp(1, self.kept() * cols);
        pass
    }

    fn elements(&self) -> Pass {
        let cols = self.cols;
        let statistic = |k: usize| format!("temp1[{}u + c]", k * cols);
        let centred = format!("(load0(i) - {}) * {}", statistic(0), statistic(1));
        let value = match self.backward {
            false => centred,
            true => format!("{} * (load1(i) - {} - {centred} * {})", statistic(1), statistic(2), statistic(3)),
        };
        let mut pass = Pass::elementwise(self.rows * cols, self.inputs(), &format!("let c = i % {cols}u; store(i, {value});"));
        pass.temps = vec![1];
        pass
    }
}
