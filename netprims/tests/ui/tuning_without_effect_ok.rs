use netprims::tuning::{Tuning, Unix};

const TWIN: Tuning<Unix> = Tuning::unix().send_buffer(4096);

fn main() {
    let _ = TWIN;
}
