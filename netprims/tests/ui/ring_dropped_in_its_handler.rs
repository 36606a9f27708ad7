use netprims::ring::{Ring, Wait};

fn misuse(mut ring: Ring) {
    let _ = ring.poll(Wait::No, |_| drop(ring));
}

fn main() {
    let _ = misuse;
}
