use netprims::ring::Ring;

fn misuse(ring: Ring) {
    std::thread::spawn(move || drop(ring));
}

fn main() {
    let _ = misuse;
}
