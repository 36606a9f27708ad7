use netprims::ring::{Event, Ring, RxBuf, Wait};

fn twin(mut ring: Ring) -> Option<RxBuf> {
    let mut kept = None;
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = event {
            kept = Some(chunk.detach());
        }
    });
    drop(ring);
    kept
}

fn main() {
    let _ = twin;
}
