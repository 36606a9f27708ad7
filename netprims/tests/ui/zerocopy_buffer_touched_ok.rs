use std::net::TcpStream;

use netprims::buffer::TxBuf;
use netprims::zerocopy::{Sent, ZeroCopySender};

fn twin(sender: &mut ZeroCopySender<TcpStream>, buf: TxBuf) {
    if let Ok(Sent::Copied(mut buf)) = sender.send(buf) {
        buf[0] = 1;
    }
}

fn main() {
    let _ = twin;
}
