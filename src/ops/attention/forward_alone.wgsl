fn run(group: vec3u, lane: u32) {
    let asked = NUMBER * LANES + lane;
    if (asked >= GROUPS) { return; }
    let i = asked % T;
    let head = asked / T % H;
    let n = asked / (T * H);
    let row = query_(n, head, i);
    let end = select(S, min(i + 1u, S), CAUSAL);
    let top = top_(n, i);
    var most = -3.4028234e38;
    var total = 0.0;
    var own: array<vec4f, QD>;
    var y: array<vec4f, QE>;
    for (var k = 0u; k < QD; k++) { own[k] = read0(row, k); }
    for (var turn = 0u; turn < 2u; turn++) {
        for (var j = 0u; j < end; j++) {
            let key = key_(n, head / SHARE, j);
            var score = 0.0;
            for (var k = 0u; k < QD; k++) { score += dot(own[k], read1(key, k)); }
            score = score * SCALE + hidden_(n, j) - top;
            if (turn == 0u) {
                let peak = max(most, score);
                total = total * exp(most - peak) + exp(score - peak);
                most = peak;
            } else {
                let weight = exp(score - most) / total;
                for (var k = 0u; k < QE; k++) { y[k] += weight * read2(key, k); }
            }
        }
    }
    for (var k = 0u; k < QE; k++) { put_(row * E, E, k, y[k]); }
    store(ATTENDED + row, most + log(total));
}
