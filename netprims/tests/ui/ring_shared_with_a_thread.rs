use netprims::ring::Ring;

fn on_another_thread(_work: impl FnOnce() -> u32 + Send) {}

fn misuse(ring: &Ring) {
    on_another_thread(|| ring.in_flight());
}

fn main() {
    let _ = misuse;
}
