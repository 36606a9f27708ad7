use netprims::ring::{Event, Ring, Wait};

fn twin(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = event {
            let chunk = chunk.detach();
            std::thread::spawn(move || println!("{}", chunk.len()));
        }
    });
}

fn main() {
    let _ = twin;
}
