use netprims::ring::{Ring, Wait};
use std::time::Duration;

fn twin(ring: &mut Ring) {
    let mut kept = None;
    let _ = ring.poll_with(Wait::No, |_, queue| kept = Some(queue.timeout(Duration::ZERO)));
}

fn main() {
    let _ = twin;
}
