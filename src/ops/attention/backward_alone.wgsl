fn run(group: vec3u, lane: u32) {
    let asked = NUMBER * LANES + lane;
    if (asked >= GROUPS) { return; }
    let at = asked % OWN;
    let h = asked / OWN % HEADS;
    let n = asked / (OWN * HEADS);
    let own = own_row(n, h, at);
    var own_a: array<vec4f, QD>;
    var own_b: array<vec4f, QE>;
    var a: array<vec4f, QD>;
    var b: array<vec4f, QE>;
    for (var k = 0u; k < QD; k++) { own_a[k] = OWN_A(own, k); }
    for (var k = 0u; k < QE; k++) { own_b[k] = OWN_B(own, k); }
    let start = select(0u, at, KEYS && CAUSAL);
    let end = select(OTHER, min(at + 1u, OTHER), !KEYS && CAUSAL);
    for (var head = select(h, h * SHARE, KEYS); head < select(h + 1u, (h + 1u) * SHARE, KEYS); head++) {
        for (var x = start; x < end; x++) {
            let other = other_row(n, head, x);
            let i = select(at, x, KEYS);
            let row = query_(n, head, i);
            var score = 0.0;
            var slope = 0.0;
            for (var k = 0u; k < QD; k++) { score += dot(own_a[k], OTHER_A(other, k)); }
            for (var k = 0u; k < QE; k++) { slope += dot(own_b[k], OTHER_B(other, k)); }
            let weight = exp(score * SCALE + hidden_(n, select(x, at, KEYS)) - top_(n, i) - load3(ATTENDED + row));
            slope = weight * (slope - temp0[row]) * SCALE;
            for (var k = 0u; k < QD; k++) { a[k] += slope * OTHER_A(other, k); }
            if (KEYS) { for (var k = 0u; k < QE; k++) { b[k] += weight * OTHER_B(other, k); } }
        }
    }
    for (var k = 0u; k < QD; k++) { put_(TO_A + own * D, D, k, a[k]); }
    if (KEYS) { for (var k = 0u; k < QE; k++) { put_(TO_B + own * E, E, k, b[k]); } }
}
