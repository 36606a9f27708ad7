use netprims::ring::{Event, Ring, Wait};

fn twin(ring: &mut Ring) {
    let mut kept = Vec::new();
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Released { buf, .. } = event {
            kept.push(buf);
        }
    });
}

fn main() {
    let _ = twin;
    let _: Option<Event<'_>> = None;
}
