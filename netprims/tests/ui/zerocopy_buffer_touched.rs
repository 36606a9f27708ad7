use std::net::TcpStream;

use netprims::buffer::TxBuf;
use netprims::zerocopy::ZeroCopySender;

fn misuse(sender: &mut ZeroCopySender<TcpStream>, mut buf: TxBuf) {
    let _ = sender.send(buf);
    buf[0] = 1;
}

fn main() {
    let _ = misuse;
}
