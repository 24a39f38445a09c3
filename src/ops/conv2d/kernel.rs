//! WGSL of convolutions: products of matrices whose operands are gathered while they are loaded (implicit GEMM). With groups, a thread makes
//! an element; the few, long sums of the kernel's gradient are a workgroup's work each.

use crate::ops::kernel::{Pass, Tuning};
use crate::ops::matmul::tile::Gemm;
use crate::ops::rows::{Fold, Rows};
use crate::ops::window::{quotient, remainder, tap};
use crate::simd::ConvShape;

/// How images are read by windows and taps. `window_(place)`: where the window `place` = (n, i, j) begins: position of its image, row, column.
/// `tap_(k)`: where tap (p, q) in `k` = (p, q, c) lies in a window, and the channel. Where no window reaches into padding, positions are whole, and
/// rows and columns are but counted.
struct Patch {
    functions: String,
    /// Of the pixel of a window's tap, as of a [`Gemm`].
    position: String,
    inside: Option<String>,
}

fn patch(s: &ConvShape) -> Patch {
    let c = s.in_c;
    let (p, q) = match s.k_h * s.k_w {
        1 => ("0u".to_owned(), "0u".to_owned()),
        _ => (quotient("k", s.k_w * c), remainder(&quotient("k", c), s.k_w)),
    };
    let (channel, w) = (remainder("k", c), s.in_w);
    let [down, right] = s.dilation;
    let outside = s.reaches_outside();
    let (origin, tap) = match outside {
        true => (String::new(), format!("0u, {p} * {down}u, {q} * {right}u, {channel}")),
        false => (
            format!(" + (i * {}u + j * {}u) * {c}u", s.stride[0] * w, s.stride[1]),
            format!("({p} * {}u + {q} * {right}u) * {c}u + {channel}, 0u, 0u, 0u", down * w),
        ),
    };
    let functions = format!(
        "fn window_(place: u32) -> vec4u {{
    let i = {i};
    let j = {j};
    return vec4u({n} * {image}u{origin}, i * {stride_h}u - {top}u, j * {stride_w}u - {left}u, 0u);
}}
fn tap_(k: u32) -> vec4u {{ return vec4u({tap}); }}
",
        n = quotient("place", s.out_w * s.out_h),
        i = remainder(&quotient("place", s.out_w), s.out_h),
        j = remainder("place", s.out_w),
        image = s.in_h * w * c,
        stride_h = s.stride[0],
        stride_w = s.stride[1],
        top = s.pad_top,
        left = s.pad_left,
    );
    let position = if outside {
        format!("at.x + step.x + ((at.y + step.y) * {w}u + at.z + step.z) * {c}u + at.w + step.w")
    } else {
        "at.x + step.x".into()
    };
    let inside = outside.then(|| format!("at.y + step.y < {}u && at.z + step.z < {w}u", s.in_h));
    Patch { functions, position, inside }
}

/// `four_windows(at, k)`: the pixels of four windows in a row under one tap; divisions are dear, so the last three are stepped to.
fn steps(s: &ConvShape) -> String {
    let (row, image) = (s.in_w * s.in_c, s.in_h * s.in_w * s.in_c);
    // From a window to the next one, from the last of a row to the first of the next, and from the last of an image to the next image.
    let [right, down, on] = match s.reaches_outside() {
        true => [0, 0, image],
        false => {
            let right = s.stride[1] * s.in_c;
            let down = s.stride[0] * row;
            [right, wrapped(down, s.out_w * right) as usize, wrapped(image, s.out_h * down) as usize]
        }
    };
    format!(
        "fn four_windows(at: vec4u, k: u32) -> vec4f {{
    var step = window_(k);
    var result: vec4f;
    for (var t = 0u; t < 4u; t++) {{
        result[t] = a_(at, step);
        step.x += {right}u;
        step.z += {stride_w}u;
        if (step.z == {row_end}u) {{
            step.z = {row_start}u;
            step.x += {down}u;
            step.y += {stride_h}u;
            if (step.y == {image_end}u) {{
                step.y = {image_start}u;
                step.x += {on}u;
            }}
        }}
    }}
    return result;
}}
",
        stride_w = s.stride[1],
        stride_h = s.stride[0],
        row_start = wrapped(0, s.pad_left),
        row_end = wrapped(s.out_w * s.stride[1], s.pad_left),
        image_start = wrapped(0, s.pad_top),
        image_end = wrapped(s.out_h * s.stride[0], s.pad_top),
    )
}

/// `position - before` as WGSL's u32 has it.
fn wrapped(position: usize, before: usize) -> u32 {
    (position as u32).wrapping_sub(before as u32)
}

/// WGSL of the window along an axis whose tap reads `position`, beyond every extent if there is none.
fn window(position: &str, tap: &str, stride: usize, dilation: usize, before: usize) -> String {
    let taken = if dilation == 1 { tap.to_owned() } else { format!("{tap} * {dilation}u") };
    let from = format!("{position} + {before}u - {taken}");
    match stride {
        1 => from,
        _ => format!("select(0xffffffffu, ({from}) / {stride}u, ({from}) % {stride}u == 0u)"),
    }
}

pub(super) fn forward(s: &ConvShape, tuning: Tuning) -> Vec<Pass> {
    if s.groups > 1 {
        return forward_grouped(s);
    }
    let Patch { functions, position, inside } = patch(s);
    // The taps of a row lie side by side, as long as they are next to each other and none of them in padding.
    let run = if inside.is_none() && (s.dilation[1] == 1 || s.k_w == 1) { s.k_w * s.in_c } else { s.in_c };
    let gemm = Gemm {
        batch: 1,
        m: s.batch * s.out_h * s.out_w,
        n: s.out_c,
        k: s.k_h * s.k_w * s.in_c,
        inputs: vec![0, 1],
        prelude: functions,
        place: "window_(row)".into(),
        step: "tap_(k)".into(),
        position,
        inside,
        run: (run, 1),
        load_quad: None,
        load_b: format!("load1(k * {}u + col)", s.out_c),
    };
    gemm.passes(tuning.products)
}

pub(super) fn input_grad(s: &ConvShape, tuning: Tuning) -> Vec<Pass> {
    if s.groups > 1 {
        return input_grad_grouped(s);
    }
    let o = s.out_c;
    let (p, q) = match s.k_h * s.k_w {
        1 => ("0u".to_owned(), "0u".to_owned()),
        _ => (quotient("k", s.k_w * o), remainder(&quotient("k", o), s.k_w)),
    };
    let (h, w, filter) = (s.out_h, s.out_w, remainder("k", o));
    // With stride 1 a tap is always as far from the pixel, so that positions are sums.
    let (from, by, position) = match s.stride {
        [1, 1] => (
            format!(" + ((row + {}u) * {w}u + col + {}u) * {o}u", s.pad_top, s.pad_left),
            format!("{filter} - (p * {}u + q * {}u) * {o}u", s.dilation[0] * w, s.dilation[1]),
            "at.x + step.x".to_owned(),
        ),
        _ => (String::new(), filter, format!("at.x + (row_(at, step) * {w}u + col_(at, step)) * {o}u + step.x")),
    };
    let prelude = format!(
        "fn pixel_(place: u32) -> vec4u {{
    let row = {row};
    let col = {col};
    return vec4u({n} * {image}u{from}, row, col, 0u);
}}
fn tap_(k: u32) -> vec4u {{
    let p = {p};
    let q = {q};
    return vec4u({by}, p, q, 0u);
}}
fn row_(at: vec4u, step: vec4u) -> u32 {{ return {i}; }}
fn col_(at: vec4u, step: vec4u) -> u32 {{ return {j}; }}
",
        n = quotient("place", s.in_h * s.in_w),
        image = h * w * o,
        row = remainder(&quotient("place", s.in_w), s.in_h),
        col = remainder("place", s.in_w),
        i = window("at.y", "step.y", s.stride[0], s.dilation[0], s.pad_top),
        j = window("at.z", "step.z", s.stride[1], s.dilation[1], s.pad_left),
    );
    let gemm = Gemm {
        batch: 1,
        m: s.batch * s.in_h * s.in_w,
        n: s.in_c,
        k: s.k_h * s.k_w * o,
        inputs: vec![0, 1],
        prelude,
        place: "pixel_(row)".into(),
        step: "tap_(k)".into(),
        position,
        inside: Some(format!("row_(at, step) < {h}u && col_(at, step) < {w}u")),
        run: (o, 1),
        load_quad: None,
        load_b: format!("load1(({} * {}u + col) * {o}u + {})", quotient("k", o), s.in_c, remainder("k", o)),
    };
    gemm.passes(tuning.products)
}

pub(super) fn kernel_grad(s: &ConvShape, tuning: Tuning) -> Vec<Pass> {
    if s.groups > 1 {
        return kernel_grad_grouped(s, tuning);
    }
    let Patch { functions, position, inside } = patch(s);
    // So lie the windows of a row.
    let run = if inside.is_none() { s.out_w } else { 1 };
    let gemm = Gemm {
        batch: 1,
        m: s.k_h * s.k_w * s.in_c,
        n: s.out_c,
        k: s.batch * s.out_h * s.out_w,
        inputs: vec![0, 1],
        prelude: functions + &steps(s),
        place: "tap_(row)".into(),
        step: "window_(k)".into(),
        position,
        inside,
        run: (run, s.stride[1] * s.in_c),
        load_quad: Some("four_windows(at, k)".into()),
        load_b: format!("load1(k * {}u + col)", s.out_c),
    };
    gemm.passes(tuning.products)
}

fn forward_grouped(s: &ConvShape) -> Vec<Pass> {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let code = format!(
        "let o = {o};
    let j = {j};
    let y = {y};
    let n = {n};
    let first = {group} * {group_in}u;
    var sum = 0.0;
    for (var p = 0u; p < {k_h}u; p++) {{
        let row = {row};
        if (row >= {h}u) {{ continue; }}
        for (var q = 0u; q < {k_w}u; q++) {{
            let col = {col};
            if (col >= {w}u) {{ continue; }}
            for (var c = 0u; c < {group_in}u; c++) {{
                sum += load0(((n * {h}u + row) * {w}u + col) * {in_c}u + first + c) * load1(((p * {k_w}u + q) * {group_in}u + c) * {out_c}u + o);
            }}
        }}
    }}
    store(i, sum);",
        o = remainder("i", s.out_c),
        j = remainder(&quotient("i", s.out_c), s.out_w),
        y = remainder(&quotient("i", s.out_c * s.out_w), s.out_h),
        n = quotient("i", s.out_c * s.out_w * s.out_h),
        group = quotient("o", group_out),
        row = tap("y", s.stride[0], "p", s.dilation[0], s.pad_top),
        col = tap("j", s.stride[1], "q", s.dilation[1], s.pad_left),
        k_h = s.k_h,
        k_w = s.k_w,
        h = s.in_h,
        w = s.in_w,
        in_c = s.in_c,
        out_c = s.out_c,
    );
    vec![Pass::elementwise(s.batch * s.out_h * s.out_w * s.out_c, &[0, 1], &code)]
}

fn input_grad_grouped(s: &ConvShape) -> Vec<Pass> {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let code = format!(
        "let channel = {channel};
    let col = {col};
    let row = {row};
    let n = {n};
    let first = {group} * {group_out}u;
    let c = {c};
    var sum = 0.0;
    for (var p = 0u; p < {k_h}u; p++) {{
        let y = {y};
        if (y >= {h}u) {{ continue; }}
        for (var q = 0u; q < {k_w}u; q++) {{
            let x = {x};
            if (x >= {w}u) {{ continue; }}
            for (var o = first; o < first + {group_out}u; o++) {{
                sum += load0(((n * {h}u + y) * {w}u + x) * {out_c}u + o) * load1(((p * {k_w}u + q) * {group_in}u + c) * {out_c}u + o);
            }}
        }}
    }}
    store(i, sum);",
        channel = remainder("i", s.in_c),
        col = remainder(&quotient("i", s.in_c), s.in_w),
        row = remainder(&quotient("i", s.in_c * s.in_w), s.in_h),
        n = quotient("i", s.in_c * s.in_w * s.in_h),
        group = quotient("channel", group_in),
        c = remainder("channel", group_in),
        y = window("row", "p", s.stride[0], s.dilation[0], s.pad_top),
        x = window("col", "q", s.stride[1], s.dilation[1], s.pad_left),
        k_h = s.k_h,
        k_w = s.k_w,
        h = s.out_h,
        w = s.out_w,
        out_c = s.out_c,
    );
    vec![Pass::elementwise(s.batch * s.in_h * s.in_w * s.in_c, &[0, 1], &code)]
}

fn kernel_grad_grouped(s: &ConvShape, tuning: Tuning) -> Vec<Pass> {
    let (group_in, group_out) = (s.in_c / s.groups, s.out_c / s.groups);
    let prelude = format!(
        "fn term(at: u32, place: u32) -> f32 {{
    let o = {o};
    let c = {c};
    let q = {q};
    let p = {p};
    let i = {i};
    let j = {j};
    let row = {row};
    let col = {col};
    if (row >= {h}u || col >= {w}u) {{ return 0.0; }}
    return load0((({n} * {h}u + row) * {w}u + col) * {in_c}u + {group} * {group_in}u + c) * load1(place * {out_c}u + o);
}}
",
        o = remainder("at", s.out_c),
        c = remainder(&quotient("at", s.out_c), group_in),
        q = remainder(&quotient("at", s.out_c * group_in), s.k_w),
        p = quotient("at", s.out_c * group_in * s.k_w),
        i = remainder(&quotient("place", s.out_w), s.out_h),
        j = remainder("place", s.out_w),
        n = quotient("place", s.out_h * s.out_w),
        row = tap("i", s.stride[0], "p", s.dilation[0], s.pad_top),
        col = tap("j", s.stride[1], "q", s.dilation[1], s.pad_left),
        h = s.in_h,
        w = s.in_w,
        in_c = s.in_c,
        group = quotient("o", group_out),
        out_c = s.out_c,
    );
    let rows = Rows {
        count: s.k_h * s.k_w * group_in * s.out_c,
        length: s.batch * s.out_h * s.out_w,
        inputs: vec![0, 1],
        prelude,
        folds: vec![Fold::sum("sum", "term(i, r)")],
        each: None,
        once: Some("store(i, sum);".into()),
    };
    vec![rows.pass(tuning.threads)]
}
