use netprims::ring::{Ring, Wait};
use std::time::Duration;

fn on_this_thread(work: impl FnOnce()) {
    work();
}

fn twin(ring: &mut Ring) {
    let _ = ring.poll_with(Wait::No, |_, queue| {
        on_this_thread(|| drop(queue.timeout(Duration::ZERO)));
    });
}

fn main() {
    let _ = twin;
}
