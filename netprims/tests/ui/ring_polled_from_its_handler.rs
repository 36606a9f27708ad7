use netprims::ring::{Ring, Wait};

fn misuse(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, |_| {
        let _ = ring.poll(Wait::No, |_| ());
    });
}

fn main() {
    let _ = misuse;
}
