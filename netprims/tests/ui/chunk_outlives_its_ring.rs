use netprims::ring::{Chunk, Event, Ring, Wait};

fn misuse(mut ring: Ring) -> Option<Chunk<'static>> {
    let mut kept = None;
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = event {
            kept = Some(chunk);
        }
    });
    drop(ring);
    kept
}

fn main() {
    let _ = misuse;
}
