use std::net::TcpStream;

use netprims::zerocopy::ZeroCopySender;

fn misuse(sender: &mut ZeroCopySender<TcpStream>, other: TcpStream) {
    *sender.socket() = other;
}

fn main() {
    let _ = misuse;
}
