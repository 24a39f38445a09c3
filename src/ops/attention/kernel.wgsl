fn query_(n: u32, h: u32, i: u32) -> u32 { return select((n * T + i) * H + h, (n * H + h) * T + i, FIRST); }
fn key_(n: u32, h: u32, j: u32) -> u32 { return select((n * S + j) * G + h, (n * G + h) * S + j, FIRST); }
fn put_(row: u32, cols: u32, quad: u32, value: vec4f) {
    var all = value;
    let at = quad * 4u;
    for (var k = 0u; k < min(4u, cols - at); k++) { store(row + at + k, all[k]); }
}
