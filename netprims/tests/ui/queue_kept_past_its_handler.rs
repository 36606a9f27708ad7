use netprims::ring::{Ring, Wait};

fn misuse(ring: &mut Ring) {
    let mut kept = None;
    let _ = ring.poll_with(Wait::No, |_, queue| kept = Some(queue));
}

fn main() {
    let _ = misuse;
}
