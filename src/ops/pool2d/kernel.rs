//! WGSL of poolings. A gradient's element is gathered from the windows that cover it, so that nothing is added from two places.

use crate::ops::kernel::Pass;
use crate::ops::window::{quotient, remainder, tap};
use crate::simd::PoolShape;

/// WGSL that declares the coordinates of element `i` of `[N, rows, cols, C]`.
fn coordinates(s: &PoolShape, rows: usize, cols: usize) -> String {
    format!(
        "    let c = {};\n    let col = {};\n    let row = {};\n    let n = {};\n",
        remainder("i", s.channels),
        remainder(&quotient("i", s.channels), cols),
        remainder(&quotient("i", s.channels * cols), rows),
        quotient("i", s.channels * cols * rows),
    )
}

/// WGSL that runs `visit` for the pixel at flat position `at` of every tap in window `[i, j]` of image n, channel c.
fn each_pixel(s: &PoolShape, [i, j]: [&str; 2], visit: &str) -> String {
    format!(
        "    for (var p = 0u; p < {k_h}u; p++) {{
        let y = {y};
        if (y >= {h}u) {{ continue; }}
        for (var q = 0u; q < {k_w}u; q++) {{
            let x = {x};
            if (x >= {w}u) {{ continue; }}
            let at = ((n * {h}u + y) * {w}u + x) * {channels}u + c;
            {visit}
        }}
    }}
",
        k_h = s.k_h,
        k_w = s.k_w,
        y = tap(i, s.stride[0], "p", 1, s.pad_top),
        x = tap(j, s.stride[1], "q", 1, s.pad_left),
        h = s.in_h,
        w = s.in_w,
        channels = s.channels,
    )
}

/// WGSL that runs `visit` for every window (i, j), flat position `window`, that covers pixel (row, col) of image n, channel c.
fn each_window(s: &PoolShape, visit: &str) -> String {
    if side_by_side(s) {
        // One window, or none beyond the last.
        return format!(
            "    let i = row / {k_h}u;
    let j = col / {k_w}u;
    let window = ((n * {h}u + i) * {w}u + j) * {channels}u + c;
    if (i < {h}u && j < {w}u) {{ {visit} }}
",
            k_h = s.k_h,
            k_w = s.k_w,
            h = s.out_h,
            w = s.out_w,
            channels = s.channels,
        );
    }
    let axis = |name: &str, position: &str, tap: &str, stride: usize, before: usize, count: usize| match stride {
        1 => format!("let {name} = {position} + {before}u - {tap}; if ({name} >= {count}u) {{ continue; }}"),
        _ => format!(
            "let {name}_from = {position} + {before}u - {tap}; let {name} = {name}_from / {stride}u;
        if ({name}_from % {stride}u != 0u || {name} >= {count}u) {{ continue; }}"
        ),
    };
    format!(
        "    for (var p = 0u; p < {k_h}u; p++) {{
        {i}
        for (var q = 0u; q < {k_w}u; q++) {{
            {j}
            let window = ((n * {h}u + i) * {w}u + j) * {channels}u + c;
            {visit}
        }}
    }}
",
        k_h = s.k_h,
        k_w = s.k_w,
        i = axis("i", "row", "p", s.stride[0], s.pad_top, s.out_h),
        j = axis("j", "col", "q", s.stride[1], s.pad_left, s.out_w),
        h = s.out_h,
        w = s.out_w,
        channels = s.channels,
    )
}

/// `first_max(n, i, j, c)`: flat position of the first largest pixel of a window of input 0.
fn first_max(s: &PoolShape) -> String {
    let visit = "let value = load0(at); if (best == 0xffffffffu || value > most) { best = at; most = value; }";
    format!(
        "fn first_max(n: u32, i: u32, j: u32, c: u32) -> u32 {{
    var best = 0xffffffffu;
    var most = 0.0;
{}    return best;
}}
",
        each_pixel(s, ["i", "j"], visit)
    )
}

pub(super) fn max(s: &PoolShape) -> Vec<Pass> {
    let code = format!("{}    store(i, load0(first_max(n, row, col, c)));", coordinates(s, s.out_h, s.out_w));
    vec![Pass::elementwise_with(results(s), &[0], &first_max(s), &code)]
}

pub(super) fn max_gather(s: &PoolShape) -> Vec<Pass> {
    let code = format!("{}    store(i, load1(first_max(n, row, col, c)));", coordinates(s, s.out_h, s.out_w));
    vec![Pass::elementwise_with(results(s), &[0, 1], &first_max(s), &code)]
}

/// Windows that lie side by side: none covers what another covers.
fn side_by_side(s: &PoolShape) -> bool {
    s.stride == [s.k_h, s.k_w] && (s.pad_top, s.pad_left) == (0, 0)
}

/// A thread for each window, and for what would be one beyond the last: it writes every pixel there.
fn max_grad_by_window(s: &PoolShape) -> Vec<Pass> {
    let (rows, cols) = (s.in_h.div_ceil(s.k_h), s.in_w.div_ceil(s.k_w));
    let code = format!(
        "{coordinates}    var best = 0xffffffffu;
    var dy = 0.0;
    if (row < {out_h}u && col < {out_w}u) {{
        best = first_max(n, row, col, c);
        dy = load1(((n * {out_h}u + row) * {out_w}u + col) * {channels}u + c);
    }}
{spread}",
        coordinates = coordinates(s, rows, cols),
        out_h = s.out_h,
        out_w = s.out_w,
        channels = s.channels,
        spread = each_pixel(s, ["row", "col"], "store(at, select(0.0, dy, at == best));"),
    );
    vec![Pass::elementwise_with(s.batch * rows * cols * s.channels, &[0, 1], &first_max(s), &code)]
}

pub(super) fn max_grad(s: &PoolShape) -> Vec<Pass> {
    if side_by_side(s) {
        return max_grad_by_window(s);
    }
    let share = "if (first_max(n, i, j, c) == own) { sum += load1(window); }";
    gathered(s, &[0, 1], &first_max(s), share)
}

pub(super) fn avg(s: &PoolShape) -> Vec<Pass> {
    let prelude = format!(
        "fn mean(n: u32, i: u32, j: u32, c: u32) -> f32 {{
    var sum = 0.0;
    var count = 0.0;
{}    return sum / count;
}}
",
        each_pixel(s, ["i", "j"], "sum += load0(at); count += 1.0;")
    );
    let code = format!("{}    store(i, mean(n, row, col, c));", coordinates(s, s.out_h, s.out_w));
    vec![Pass::elementwise_with(results(s), &[0], &prelude, &code)]
}

pub(super) fn avg_grad(s: &PoolShape) -> Vec<Pass> {
    let span = |name: &str, window: &str, stride: usize, taps: usize, before: usize, extent: usize| {
        let start = format!("{window} * {stride}u");
        format!("let {name} = min({start} + {taps}u, {}u) - max({start}, {before}u);", before + extent)
    };
    let share = format!(
        "{} {} sum += load0(window) / f32(rows * cols);",
        span("rows", "i", s.stride[0], s.k_h, s.pad_top, s.in_h),
        span("cols", "j", s.stride[1], s.k_w, s.pad_left, s.in_w),
    );
    gathered(s, &[0], "", &share)
}

/// The pass that adds `share` over the windows that cover each pixel.
fn gathered(s: &PoolShape, inputs: &[usize], prelude: &str, share: &str) -> Vec<Pass> {
    let prelude = format!(
        "{prelude}fn total(own: u32, n: u32, row: u32, col: u32, c: u32) -> f32 {{
    var sum = 0.0;
{}    return sum;
}}
",
        each_window(s, share)
    );
    let code = format!("{}    store(i, total(i, n, row, col, c));", coordinates(s, s.in_h, s.in_w));
    vec![Pass::elementwise_with(s.batch * s.in_h * s.in_w * s.channels, inputs, &prelude, &code)]
}

fn results(s: &PoolShape) -> usize {
    s.batch * s.out_h * s.out_w * s.channels
}
