use netprims::ring::{Ring, Wait};

fn misuse(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, |_| {
        let _ = ring.poll(Wait::No, drop);
    });
}

fn main() {
    let _ = misuse;
}
