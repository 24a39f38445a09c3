fn own_row(n: u32, h: u32, at: u32) -> u32 {
    if (KEYS) { return key_(n, h, min(at, S - 1u)); }
    return query_(n, h, min(at, T - 1u));
}
fn other_row(n: u32, head: u32, at: u32) -> u32 {
    if (KEYS) { return query_(n, head, min(at, T - 1u)); }
    return key_(n, head / SHARE, min(at, S - 1u));
}
