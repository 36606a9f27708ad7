use netprims::ring::Ring;

fn misuse(ring: &Ring) {
    std::thread::scope(|scope| {
        scope.spawn(|| ring.in_flight());
    });
}

fn main() {
    let _ = misuse;
}
