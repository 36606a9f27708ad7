use netprims::ring::{Event, Ring, Wait};

fn misuse(ring: &mut Ring) {
    let mut kept = None;
    let _ = ring.poll_with(Wait::No, |event, _| {
        if let Event::Received { chunk, .. } = event {
            kept = Some(chunk);
        }
    });
}

fn main() {
    let _ = misuse;
}
