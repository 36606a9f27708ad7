//! The other side of a measurement: what the sides tell each other over TCP, a line of JSON each time.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use netprims_rdma::{Endpoint, Gid, Lid, Mtu, Psn, Qpn};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::interrupt::Interrupted;

/// Of what the sides tell each other, and of what `--json` prints.
pub(crate) const VERSION: u32 = 1;
/// How long to sleep at most before looking whether Ctrl-C was pressed.
const NAP: Duration = Duration::from_millis(50);
const STRANGE: &str = "the other side does not speak this protocol";
/// No line is longer.
const LONGEST: usize = 1 << 16;

/// A connection to the other side.
pub(crate) struct Peer {
    stream: TcpStream,
    /// What has come of the next line.
    begun: Vec<u8>,
    patience: Duration,
    stop: &'static AtomicBool,
}

/// A line: either what is meant to be told, or why there is nothing to tell.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<T> {
    Said(T),
    Failed(String),
}

/// The first thing a client says.
#[derive(Serialize, Deserialize)]
struct Hello<T> {
    task: String,
    version: u32,
    wish: T,
}

impl Peer {
    /// Waits for a client.
    pub(crate) fn accept(
        listener: &TcpListener,
        patience: Duration,
        stop: &'static AtomicBool,
    ) -> Result<Self> {
        listener.set_nonblocking(true)?;
        loop {
            match listener.accept() {
                Ok((stream, _)) => return Peer::new(stream, patience, stop),
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(NAP),
                Err(error) => return Err(error).context("waiting for a client"),
            }
            if stop.load(Ordering::Relaxed) {
                return Err(Interrupted.into());
            }
        }
    }

    /// Reaches a server.
    pub(crate) fn reach(
        host: &str,
        port: u16,
        patience: Duration,
        stop: &'static AtomicBool,
    ) -> Result<Self> {
        let stream = pingpong::reach(host, port, patience)
            .with_context(|| format!("is `netprims rdma … server` running on {host}?"))?;
        Peer::new(stream, patience, stop)
    }

    fn new(stream: TcpStream, patience: Duration, stop: &'static AtomicBool) -> Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(NAP))?;
        stream.set_write_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        Ok(Peer {
            stream,
            begun: Vec::new(),
            patience,
            stop,
        })
    }

    /// Who it is, for people.
    pub(crate) fn name(&self) -> String {
        let address = self.stream.peer_addr();
        address.map_or_else(
            |_| String::from("?"),
            |address| address.ip().to_canonical().to_string(),
        )
    }

    /// As a client, first of all: what is to be done.
    pub(crate) fn ask<T: Serialize>(&mut self, task: &str, wish: T) -> Result<()> {
        self.say(&Hello {
            task: task.to_owned(),
            version: VERSION,
            wish,
        })
    }

    /// As a server: what the client asks for, which must be this task.
    pub(crate) fn asked<T: DeserializeOwned>(&mut self, task: &str) -> Result<T> {
        let hello: Hello<serde_json::Value> = self.hear()?;
        let (other, version) = (&hello.task, hello.version);
        ensure!(other == task, "this server measures {task}, not {other}");
        ensure!(
            version == VERSION,
            "this server speaks version {VERSION}, not {version}"
        );
        serde_json::from_value(hello.wish).context(STRANGE)
    }

    pub(crate) fn say<T: Serialize>(&mut self, what: &T) -> Result<()> {
        self.write(&Line::Said(what))
    }

    /// Says why this side cannot go on, if that can still be said.
    pub(crate) fn fail(&mut self, why: &anyhow::Error) {
        let _ = self.write(&Line::<()>::Failed(format!("{why:#}")));
    }

    fn write<T: Serialize>(&mut self, line: &Line<T>) -> Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.stream
            .write_all(&text)
            .context("telling the other side")
    }

    /// What the other side says next, within the patience there is.
    pub(crate) fn hear<T: DeserializeOwned>(&mut self) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(said) = self.read()? {
                return Ok(said);
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err(Interrupted.into());
            }
            ensure!(
                start.elapsed() < self.patience,
                "the other side has said nothing for {} s",
                self.patience.as_secs()
            );
        }
    }

    /// What the other side has said, if it has; without waiting.
    pub(crate) fn heard<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        self.stream.set_nonblocking(true)?;
        let read = self.read();
        self.stream.set_nonblocking(false)?;
        read
    }

    /// As much of a line as has come.
    fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        let mut bytes = [0; 4096];
        if !self.begun.contains(&b'\n') {
            match self.stream.read(&mut bytes) {
                Ok(0) => bail!("the other side has gone"),
                Ok(count) => self
                    .begun
                    .extend_from_slice(bytes.get(..count).unwrap_or(&[])),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error).context("listening to the other side"),
                },
            }
        }
        let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') else {
            ensure!(self.begun.len() < LONGEST, STRANGE);
            return Ok(None);
        };
        let line: Vec<u8> = self.begun.drain(..=end).collect();
        let line = serde_json::from_slice(&line).context(STRANGE)?;
        match line {
            Line::Said(said) => Ok(Some(said)),
            Line::Failed(why) => Err(anyhow!("the other side: {why}")),
        }
    }
}

/// An end of a connection, as it is told.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Address {
    qpn: u32,
    psn: u32,
    lid: u16,
    gid: Option<[u8; 16]>,
}

impl From<&Endpoint> for Address {
    fn from(endpoint: &Endpoint) -> Self {
        let Lid(lid) = endpoint.lid;
        Address {
            qpn: endpoint.qpn.number(),
            psn: endpoint.psn.number(),
            lid,
            gid: endpoint.gid.map(Gid::bytes),
        }
    }
}

impl TryFrom<&Address> for Endpoint {
    type Error = netprims_rdma::Error;

    fn try_from(address: &Address) -> netprims_rdma::Result<Self> {
        let (qpn, psn) = (Qpn::new(address.qpn)?, Psn::new(address.psn)?);
        let mut endpoint = Endpoint::new(qpn, psn).at_lid(Lid(address.lid));
        endpoint.gid = address.gid.map(Gid::new);
        Ok(endpoint)
    }
}

/// A number of bytes as an MTU, if it is one.
pub(crate) fn mtu(bytes: u32) -> Result<Mtu> {
    Ok(bytes.to_string().parse()?)
}

/// The bytes of an MTU.
pub(crate) fn bytes(mtu: Mtu) -> Result<u32> {
    mtu.bytes().context("the port has an MTU that is not known")
}

#[cfg(test)]
mod tests {
    use super::*;

    static STOP: AtomicBool = AtomicBool::new(false);

    fn pair(patience: Duration) -> (Peer, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = Peer::reach("127.0.0.1", port, patience, &STOP).unwrap();
        (client, Peer::accept(&listener, patience, &STOP).unwrap())
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn what_is_said_is_heard_line_by_line() {
        let (mut client, mut server) = pair(PATIENCE);
        assert_eq!(server.heard::<u32>().unwrap(), None);
        client.say(&1u32).unwrap();
        client.say(&vec![2u32, 3]).unwrap();
        assert_eq!(server.hear::<u32>().unwrap(), 1);
        assert_eq!(server.hear::<Vec<u32>>().unwrap(), [2, 3]);
    }

    #[test]
    fn a_client_that_wants_something_else_is_told_what_there_is() {
        let (mut client, mut server) = pair(PATIENCE);
        client.ask("bw", 7u32).unwrap();
        client.ask("bw", 8u32).unwrap();
        assert_eq!(server.asked::<u32>("bw").unwrap(), 7);
        let error = server.asked::<u32>("ping").unwrap_err().to_string();
        assert_eq!(error, "this server measures ping, not bw");
    }

    #[test]
    fn why_a_side_failed_is_told_to_the_other() {
        let (mut client, mut server) = pair(PATIENCE);
        server.fail(&anyhow!("inner").context("outer"));
        let error = client.hear::<u32>().unwrap_err().to_string();
        assert_eq!(error, "the other side: outer: inner");
        drop(server);
        let error = client.hear::<u32>().unwrap_err().to_string();
        assert!(error.contains("has gone"), "{error}");
    }

    #[test]
    fn one_that_says_nothing_is_not_waited_for_without_end() {
        let (mut client, _server) = pair(Duration::from_millis(1));
        let error = client.hear::<u32>().unwrap_err().to_string();
        assert!(error.contains("said nothing"), "{error}");
    }

    #[test]
    fn what_is_no_line_of_this_protocol_is_refused() {
        for text in [&b"0000:000012:2a35aa:0\n"[..], &[b'x'; LONGEST + 4096]] {
            let (client, mut server) = pair(PATIENCE);
            let mut stream = client.stream.try_clone().unwrap();
            let text = text.to_vec();
            let writer = thread::spawn(move || stream.write_all(&text));
            let error = server.hear::<u32>().unwrap_err().to_string();
            assert!(error.contains("does not speak"), "{error}");
            drop((server, client));
            let _ = writer.join().unwrap();
        }
    }

    #[test]
    fn an_end_of_a_connection_comes_back_from_its_words() {
        let gid = Gid::new([7; 16]);
        let endpoint = Endpoint::new(Qpn::new(18).unwrap(), Psn::new(9).unwrap())
            .at_lid(Lid(3))
            .at_gid(gid);
        let address = Address::from(&endpoint);
        assert_eq!(Endpoint::try_from(&address).unwrap(), endpoint);
        let wrong = Address {
            qpn: u32::MAX,
            ..address
        };
        assert!(Endpoint::try_from(&wrong).is_err());
    }
}
