use netprims::ring::{Ring, Wait};
use std::time::Duration;

fn on_another_thread(work: impl FnOnce() + Send) {
    work();
}

fn misuse(ring: &mut Ring) {
    let _ = ring.poll_with(Wait::No, |_, queue| {
        on_another_thread(|| drop(queue.timeout(Duration::ZERO)));
    });
}

fn main() {
    let _ = misuse;
}
