use netprims::ring::{Event, Ring, Wait};

fn twin(ring: &mut Ring) -> usize {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = &event {
            kept.push(chunk.to_vec());
        }
    });
    kept.len()
}

fn main() {
    let _ = twin;
}
