use netprims::socket::TcpBuilder;
use netprims::tuning::{Tcp, Tuning};

const TUNING: Tuning<Tcp> = Tuning::tcp().send_buffer(4096);

fn main() {
    let _ = TcpBuilder::new().tuning(TUNING);
}
