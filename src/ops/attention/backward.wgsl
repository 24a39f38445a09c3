var<workgroup> own_a: array<vec4f, ROWS * DS>;
var<workgroup> own_b: array<vec4f, ROWS * ES>;
var<workgroup> other_a: array<vec4f, LANES * DS>;
var<workgroup> other_b: array<vec4f, LANES * ES>;
var<workgroup> slopes: array<f32, ROWS * ACROSS>;
var<workgroup> weights: array<f32, ROWS * ACROSS>;

fn run(group: vec3u, lane: u32) {
    let asked = NUMBER;
    let number = min(asked, GROUPS - 1u);
    let first = number % TILES * ROWS;
    let h = number / TILES % HEADS;
    let n = number / (TILES * HEADS);
    let r = lane / LANES;
    let c = lane % LANES;
    var a: array<vec4f, ND>;
    var b: array<vec4f, NE>;
    for (var x = lane; x < ROWS * QD; x += ROWS * LANES) {
        own_a[x / QD * DS + x % QD] = OWN_A(own_row(n, h, first + x / QD), x % QD);
    }
    for (var x = lane; x < ROWS * QE; x += ROWS * LANES) {
        own_b[x / QE * ES + x % QE] = OWN_B(own_row(n, h, first + x / QE), x % QE);
    }
    let start_at = select(0u, first / LANES * LANES, KEYS && CAUSAL);
    let end = select(OTHER, min(first + ROWS, OTHER), !KEYS && CAUSAL);
    for (var head = select(h, h * SHARE, KEYS); head < select(h + 1u, (h + 1u) * SHARE, KEYS); head++) {
        for (var start = start_at; start < end; start += LANES) {
            workgroupBarrier();
            for (var x = lane; x < LANES * QD; x += ROWS * LANES) {
                other_a[x / QD * DS + x % QD] = OTHER_A(other_row(n, head, start + x / QD), x % QD);
            }
            for (var x = lane; x < LANES * QE; x += ROWS * LANES) {
                other_b[x / QE * ES + x % QE] = OTHER_B(other_row(n, head, start + x / QE), x % QE);
            }
            workgroupBarrier();
            let i = select(first + r, start + c, KEYS);
            let j = select(start + c, first + r, KEYS);
            var weight = 0.0;
            var slope = 0.0;
            if (i < T && j < S && (!CAUSAL || j <= i)) {
                var score = 0.0;
                for (var k = 0u; k < QD; k++) { score += dot(own_a[r * DS + k], other_a[c * DS + k]); }
                for (var k = 0u; k < QE; k++) { slope += dot(own_b[r * ES + k], other_b[c * ES + k]); }
                let row = query_(n, head, i);
                weight = exp(score * SCALE + hidden_(n, j) - top_(n, i) - load3(ATTENDED + row));
                slope = weight * (slope - temp0[row]) * SCALE;
            }
            slopes[r * ACROSS + c] = slope;
            weights[r * ACROSS + c] = weight;
            workgroupBarrier();
            for (var x = 0u; x < LANES; x++) {
                let slope = slopes[r * ACROSS + x];
                for (var k = 0u; k < ND; k++) { a[k] += slope * other_a[x * DS + min(c + k * LANES, QD - 1u)]; }
                if (KEYS) {
                    let weight = weights[r * ACROSS + x];
                    for (var k = 0u; k < NE; k++) { b[k] += weight * other_b[x * ES + min(c + k * LANES, QE - 1u)]; }
                }
            }
        }
    }
    if (asked >= GROUPS || first + r >= OWN) { return; }
    let row = own_row(n, h, first + r);
    for (var k = 0u; k < ND; k++) {
        if (c + k * LANES < QD) { put_(TO_A + row * D, D, c + k * LANES, a[k]); }
    }
    if (KEYS) {
        for (var k = 0u; k < NE; k++) {
            if (c + k * LANES < QE) { put_(TO_B + row * E, E, c + k * LANES, b[k]); }
        }
    }
}
