use netprims::ring::{Event, Ring, Wait};

fn misuse(ring: &mut Ring) {
    let _ = ring.poll(Wait::No, |event| {
        if let Event::Received { chunk, .. } = event {
            std::thread::spawn(move || println!("{}", chunk.len()));
        }
    });
}

fn main() {
    let _ = misuse;
}
