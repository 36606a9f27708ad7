use netprims::tuning::{Tcp, Tuning};

const TWIN: Tuning<Tcp> = Tuning::tcp().nodelay(true);

fn main() {
    let _ = TWIN;
}
