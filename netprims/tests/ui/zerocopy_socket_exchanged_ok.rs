use std::net::{Shutdown, TcpStream};

use netprims::zerocopy::ZeroCopySender;

fn twin(sender: &mut ZeroCopySender<TcpStream>) {
    let _ = sender.socket().shutdown(Shutdown::Write);
}

fn main() {
    let _ = twin;
}
