use netprims::ring::{Ring, Wait};

fn twin(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, |_| ());
    let _ = ring.poll(Wait::No, |_| ());
}

fn main() {
    let _ = twin;
}
