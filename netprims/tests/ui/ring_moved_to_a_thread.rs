use netprims::ring::Ring;

fn on_another_thread(work: impl FnOnce() + Send) {
    work();
}

fn misuse(ring: Ring) {
    on_another_thread(move || drop(ring));
}

fn main() {
    let _ = misuse;
}
