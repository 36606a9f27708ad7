use netprims::ring::{Event, Ring, Wait};

fn misuse(ring: &mut Ring) {
    let mut kept = Vec::new();
    let _ = ring.poll(Wait::No, |event| kept.push(event));
}

fn main() {
    let _ = misuse;
    let _: Option<Event<'_>> = None;
}
