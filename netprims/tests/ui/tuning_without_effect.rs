use netprims::tuning::{Tuning, Unix};

const MISUSE: Tuning<Unix> = Tuning::unix().send_buffer(4096).receive_buffer(4096);

fn main() {
    let _ = MISUSE;
}
