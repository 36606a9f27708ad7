use netprims::ring::{Event, Ring, Wait};

fn misuse(ring: &mut Ring) -> usize {
    let mut kept: Vec<&[u8]> = Vec::new();
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = &event {
            kept.push(chunk);
        }
    });
    kept.len()
}

fn main() {
    let _ = misuse;
}
