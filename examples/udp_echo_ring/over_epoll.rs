use std::net::UdpSocket;

use anyhow::Result;
use netprims::datagram::{Incoming, Outgoing, ReceiveBatch, SendBatch};
use netprims::fd::{Epoll, Events, Interest};

use super::{Args, Client, Totals, segment};

/// Pieces that come with a system call.
const PIECES: usize = 16;

/// Answers until there were as many datagrams as asked for, or nobody asks any more.
pub(super) fn answer(args: &Args, socket: &UdpSocket, client: &Client) -> Result<Totals> {
    println!("receives: batches, by recvmmsg(2)");
    socket.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    epoll.add(socket, 0, Interest::READABLE)?;
    let mut events = Events::with_capacity(1);
    let mut received = ReceiveBatch::new(PIECES, usize::from(args.longest))?;
    let mut batch = SendBatch::new(PIECES)?;
    let mut totals = Totals::default();
    let is_enough = |totals: &Totals| args.datagrams.is_some_and(|most| totals.datagrams >= most);
    while !is_enough(&totals) && !client.is_over() {
        epoll.wait(&mut events, client.look())?;
        for incoming in &received.receive(socket)? {
            if is_enough(&totals) {
                break;
            }
            if !totals.take(&incoming)? {
                continue;
            }
            if !is_sent(&mut batch, socket, &incoming) {
                totals.dropped += 1;
            }
        }
    }
    Ok(totals)
}

fn is_sent(batch: &mut SendBatch, socket: &UdpSocket, incoming: &Incoming<'_>) -> bool {
    let Some(peer) = incoming.peer() else {
        return false;
    };
    let answer = Outgoing::new(incoming.bytes())
        .to(peer)
        .segment(segment(incoming.segment()));
    let sent = batch.send(socket, &[answer]);
    sent.is_ok_and(|sent| sent.messages() == 1)
}
