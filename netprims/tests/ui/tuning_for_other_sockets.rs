use netprims::socket::TcpBuilder;
use netprims::tuning::{Tuning, Udp};

const TUNING: Tuning<Udp> = Tuning::udp().send_buffer(4096);

fn main() {
    let _ = TcpBuilder::new().tuning(TUNING);
}
