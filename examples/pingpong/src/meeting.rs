//! How the sides tell each other their queue pairs: as rdma-core's programs do, over TCP.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use netprims_rdma::{Endpoint, Gid, Lid, Psn, Qpn};

use crate::game::Game;
use crate::side::Side;

/// How long either side waits for words of the other.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts to reach a server.
const BRIEFLY: Duration = Duration::from_millis(20);
/// The text that the sides exchange: LID, queue pair, first packet, GID, and a NUL.
const GREETING_LEN: usize = 52;
const FAREWELL: &[u8] = b"done\0";

/// Both sides at one connection.
#[derive(Debug)]
pub struct Meeting {
    stream: TcpStream,
}

impl Meeting {
    /// A client's, with a server that it reached.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Meeting { stream }
    }

    /// As the client: says who this side is, hears who the server is, and connects.
    ///
    /// # Errors
    ///
    /// The server is gone, or speaks otherwise; its queue pairs are not accepted.
    pub fn as_client(mut self, side: Side) -> Result<(Game, Vec<Endpoint>)> {
        self.greet(&side)?;
        let remote = self.hear(&side)?;
        self.stream
            .write_all(FAREWELL)
            .context("acknowledging the remote address")?;
        Ok((side.connect(&remote)?, remote))
    }

    /// As the server: hears who the client is, connects, and only then says who this side is, since
    /// the client may send from then on.
    ///
    /// # Errors
    ///
    /// The client is gone, or speaks otherwise; its queue pairs are not accepted.
    pub fn as_server(mut self, side: Side) -> Result<(Game, Vec<Endpoint>)> {
        let remote = self.hear(&side)?;
        let answer = words(&side);
        let game = side.connect(&remote)?;
        self.stream
            .write_all(&answer)
            .context("sending the local address")?;
        let mut farewell = [0; FAREWELL.len()];
        self.stream
            .read_exact(&mut farewell)
            .context("waiting for the client to acknowledge")?;
        Ok((game, remote))
    }

    fn greet(&mut self, side: &Side) -> Result<()> {
        self.stream
            .write_all(&words(side))
            .context("sending the local address")
    }

    /// The peer's queue pairs, as many as this side has.
    fn hear(&mut self, side: &Side) -> Result<Vec<Endpoint>> {
        self.stream.set_read_timeout(Some(PATIENCE))?;
        let mut all = Vec::new();
        for place in 0..side.plan().kind.greetings() {
            let mut bytes = [0; GREETING_LEN];
            self.stream
                .read_exact(&mut bytes)
                .context("waiting for the remote address; is it the same kind of ping-pong?")?;
            // Beyond the queue pairs that there are, they are zeros.
            if place < side.plan().queue_pairs {
                let endpoint = parse_greeting(&bytes)
                    .context("the peer's address is not of the form LID:QPN:PSN:GID")?;
                all.push(endpoint);
            }
        }
        Ok(all)
    }
}

/// Waits on a port for clients: one socket for both families, or IPv4 where there is no IPv6.
///
/// # Errors
///
/// The port is taken, or reserved.
pub fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .with_context(|| format!("listening on TCP port {port}"))
}

/// Connects, waiting for a server that is just being started, for at most `patience`.
///
/// # Errors
///
/// The host is not known, or nobody listens there in the end.
pub fn reach(host: &str, port: u16, patience: Duration) -> Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .with_context(|| format!("looking up {host}"))?
        .collect();
    let start = Instant::now();
    loop {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &addresses {
            let left = patience.saturating_sub(start.elapsed());
            match TcpStream::connect_timeout(address, left.max(BRIEFLY)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        if last.kind() != io::ErrorKind::ConnectionRefused || start.elapsed() >= patience {
            return Err(last).with_context(|| format!("connecting to {host}:{port}"));
        }
        thread::sleep(BRIEFLY);
    }
}

/// All that this side says, in one piece: rdma-core's programs read each greeting with one call.
fn words(side: &Side) -> Vec<u8> {
    let known = side.endpoints().iter().map(greeting);
    let zeros = std::iter::repeat_with(|| text(0, 0, 0, [0; 16]));
    let count = usize::try_from(side.plan().kind.greetings()).unwrap_or(1);
    let all: Vec<String> = known.chain(zeros).take(count).collect();
    all.concat().into_bytes()
}

fn greeting(local: &Endpoint) -> String {
    let gid = local.gid.map_or([0; 16], Gid::bytes);
    let Lid(lid) = local.lid;
    text(lid, local.qpn.number(), local.psn.number(), gid)
}

fn text(lid: u16, qpn: u32, psn: u32, gid: [u8; 16]) -> String {
    let digits: String = gid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{lid:04x}:{qpn:06x}:{psn:06x}:{digits}\0")
}

fn parse_greeting(bytes: &[u8; GREETING_LEN]) -> Option<Endpoint> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\0')?;
    let mut fields = text
        .split(':')
        .map(|field| u128::from_str_radix(field, 16).ok());
    let mut next = || fields.next()?;
    let (lid, qpn, psn, gid) = (next()?, next()?, next()?, next()?);
    let gid = Gid::new(gid.to_be_bytes());
    let qpn = Qpn::new(u32::try_from(qpn).ok()?).ok()?;
    let psn = Psn::new(u32::try_from(psn).ok()?).ok()?;
    let mut endpoint = Endpoint::new(qpn, psn).at_lid(Lid(u16::try_from(lid).ok()?));
    endpoint.gid = (!gid.is_zero()).then_some(gid);
    Some(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_those_of_rdma_core() {
        let text = b"0000:000012:2a35aa:00000000000000000000ffff0a4d0001\0";
        let mut bytes = [0; GREETING_LEN];
        bytes[..text.len()].copy_from_slice(text);
        let endpoint = parse_greeting(&bytes).unwrap();
        assert_eq!(endpoint.qpn.number(), 0x12);
        assert_eq!(endpoint.gid.unwrap().to_string(), "::ffff:10.77.0.1");
        assert_eq!(greeting(&endpoint).as_bytes(), text);
    }

    #[test]
    fn a_greeting_that_is_none_is_refused() {
        for text in [
            "",
            "0000:000012:2a35aa",
            "zzzz:000012:2a35aa:0:",
            "0000:1000000:000000:0",
        ] {
            let mut bytes = [0; GREETING_LEN];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            assert!(parse_greeting(&bytes).is_none(), "{text}");
        }
    }
}
