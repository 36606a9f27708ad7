use netprims::tuning::{Tuning, Udp};

const MISUSE: Tuning<Udp> = Tuning::udp().nodelay(true);

fn main() {
    let _ = MISUSE;
}
