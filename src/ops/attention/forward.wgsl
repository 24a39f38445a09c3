var<workgroup> own: array<vec4f, ROWS * DS>;
var<workgroup> other: array<vec4f, LANES * max(DS, ES)>;
var<workgroup> weights: array<f32, ROWS * ACROSS>;

fn run(group: vec3u, lane: u32) {
    let asked = NUMBER;
    let number = min(asked, GROUPS - 1u);
    let first = number % TILES * ROWS;
    let head = number / TILES % H;
    let n = number / (TILES * H);
    let r = lane / LANES;
    let c = lane % LANES;
    let i = first + r;
    let end = select(S, min(first + ROWS, S), CAUSAL);
    var most = -3.4028234e38;
    var total = 0.0;
    var y: array<vec4f, NE>;
    for (var x = lane; x < ROWS * QD; x += ROWS * LANES) {
        own[x / QD * DS + x % QD] = read0(query_(n, head, min(first + x / QD, T - 1u)), x % QD);
    }
    for (var start = 0u; start < end; start += LANES) {
        workgroupBarrier();
        for (var x = lane; x < LANES * QD; x += ROWS * LANES) {
            other[x / QD * DS + x % QD] = read1(key_(n, head / SHARE, min(start + x / QD, S - 1u)), x % QD);
        }
        workgroupBarrier();
        let j = start + c;
        var score = -3.4028234e38;
        if (j < S && (!CAUSAL || j <= i)) {
            score = 0.0;
            for (var k = 0u; k < QD; k++) { score += dot(own[r * DS + k], other[c * DS + k]); }
            score = score * SCALE + hidden_(n, j) - top_(n, i);
        }
        weights[r * ACROSS + c] = score;
        workgroupBarrier();
        for (var x = lane; x < LANES * QE; x += ROWS * LANES) {
            other[x / QE * ES + x % QE] = read2(key_(n, head / SHARE, min(start + x / QE, S - 1u)), x % QE);
        }
        var peak = most;
        for (var x = 0u; x < LANES; x++) { peak = max(peak, weights[r * ACROSS + x]); }
        workgroupBarrier();
        weights[r * ACROSS + c] = exp(score - peak);
        workgroupBarrier();
        let shrink = exp(most - peak);
        most = peak;
        total *= shrink;
        for (var k = 0u; k < NE; k++) { y[k] *= shrink; }
        for (var x = 0u; x < LANES; x++) {
            let weight = weights[r * ACROSS + x];
            total += weight;
            for (var k = 0u; k < NE; k++) { y[k] += weight * other[x * ES + min(c + k * LANES, QE - 1u)]; }
        }
    }
    if (asked >= GROUPS || i >= T) { return; }
    let row = query_(n, head, i);
    for (var k = 0u; k < NE; k++) {
        if (c + k * LANES < QE) { put_(row * E, E, c + k * LANES, y[k] / total); }
    }
    if (c == 0u) { store(ATTENDED + row, most + log(total)); }
}
