// Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
fn erf_(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1.0 - p * exp(-x * x));
}
fn pow_(a: f32, b: f32) -> f32 {
    if (a >= 0.0) { return pow(a, b); }
    let magnitude = pow(-a, b);
    return select(magnitude, -magnitude, (i32(b) & 1) == 1);
}
// WGSL promises 11 bits of a sine, and that between -pi and pi: what is left of x by the nearest multiple of pi, in two parts, then Taylor's polynomial.
fn sine_near_(x: f32, turns: f32) -> f32 {
    let r = (x - turns * 3.140625) - turns * 9.67653589793e-4;
    let s = r * r;
    return r * (1.0 + s * (-0.16666667 + s * (8.3333333e-3 + s * (-1.9841270e-4 + s * (2.7557319e-6 - s * 2.5052108e-8)))));
}
fn sin_(x: f32) -> f32 {
    let turns = round(x * 0.31830989);
    let sine = sine_near_(x, turns);
    return select(sine, -sine, (i32(turns) & 1) == 1);
}
fn cos_(x: f32) -> f32 {
    let turns = floor(x * 0.31830989);
    let sine = sine_near_(x, turns + 0.5);
    return select(-sine, sine, (i32(turns) & 1) == 1);
}
fn tanh_(x: f32) -> f32 { return tanh(clamp(x, -20.0, 20.0)); }
fn log1p_exp_(x: f32) -> f32 { return max(x, 0.0) + log(1.0 + exp(-abs(x))); }
