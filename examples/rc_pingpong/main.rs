//! Ping-pong over a reliable connection, interoperable with rdma-core's `ibv_rc_pingpong`.
//!
//! ```text
//! rc_pingpong [OPTIONS]          start a server and wait for one connection
//! rc_pingpong [OPTIONS] HOST     connect to the server at HOST
//! ```
//!
//! Both sides tell each other their queue pair over TCP, then bounce one message to and fro. The
//! server sends back what it received, as the C program does by using one buffer for both
//! directions.

mod payload;

use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use netprims_rdma::{
    Buf, Context, Cq, Device, Done, Endpoint, Gid, GidIndex, Init, Lid, LinkLayer, Mr, Mtu,
    PortNum, Psn, Qp, QpCap, Qpn, Queue, Rc, RtrAttr, Rts, RtsAttr,
};
use payload::Check;

/// How long a client tries to reach a server that is not there yet, and how long either side waits
/// for a peer that says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Parser)]
#[command(about = "RDMA ping-pong over a reliable connection; speaks to ibv_rc_pingpong")]
struct Options {
    /// Host to connect to; without it, be the server
    host: Option<String>,
    /// TCP port to listen on or connect to
    #[arg(short, long, default_value_t = 18515)]
    port: u16,
    /// RDMA device; the first one by default
    #[arg(short = 'd', long, value_name = "DEV")]
    ib_dev: Option<String>,
    /// Port of the device
    #[arg(short = 'i', long, value_name = "PORT", default_value = "1")]
    ib_port: PortNum,
    /// Bytes per message
    #[arg(short, long, default_value_t = 4096)]
    size: u32,
    /// Path MTU: 256, 512, 1024, 2048 or 4096; the same on both sides
    #[arg(short, long, default_value = "1024")]
    mtu: Mtu,
    /// Receives to keep posted. Each has a buffer of its own (the C program posts one buffer 500
    /// times)
    #[arg(short, long, default_value_t = 16)]
    rx_depth: u32,
    /// Messages each way; the same on both sides
    #[arg(short = 'n', long, default_value_t = 1000)]
    iters: u32,
    /// InfiniBand service level
    #[arg(short = 'l', long, default_value_t = 0)]
    sl: u8,
    /// Index of the local GID; on Ethernet, chosen by default
    #[arg(short, long, value_name = "INDEX")]
    gid_idx: Option<GidIndex>,
    /// Check every byte of every message
    #[arg(short = 'c', long)]
    chk: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rc_pingpong: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let role = match &options.host {
        // First of all: a client that comes early waits in the backlog.
        None => Role::Server(listen(options.port)?),
        Some(host) => Role::Client(host),
    };
    ensure!(options.size > 0, "a message needs at least one byte");
    ensure!(options.iters > 0, "at least one message must go each way");
    ensure!(options.rx_depth > 0, "at least one receive must be posted");
    let device = match &options.ib_dev {
        Some(name) => Device::by_name(name)?,
        None => Device::first()?,
    };
    let context = device.open()?;
    let port = context.query_port(options.ib_port)?;
    let gid_index = match options.gid_idx {
        None if port.link_layer == LinkLayer::Ethernet => {
            let choice = context.select_gid(options.ib_port)?;
            eprintln!("using {choice}");
            Some(choice.index)
        }
        given => given,
    };
    let gid = match gid_index {
        Some(index) => Some(context.query_gid(options.ib_port, index)?.gid),
        None => None,
    };
    let path = Path {
        mtu: options.mtu,
        sl: options.sl,
        gid_index,
    };

    // Receives are posted before the peer hears of this side: it may send at once.
    let (cq, memory, qp) = prepare(&context, options)?;
    let mut local = Endpoint::new(qp.number(), random_psn()).at_lid(port.lid);
    local.gid = gid;
    println!("  local address:  {}", address_line(&local));
    let (qp, remote) = match role {
        Role::Server(listener) => meet_client(&listener, qp, &local, &path)?,
        Role::Client(host) => meet_server(host, options.port, qp, &local, &path)?,
    };
    println!("  remote address: {}", address_line(&remote));

    let client = options.host.is_some();
    let check = options
        .chk
        .then(|| Check::new(options.size, options.iters, client));
    let mut game = Game {
        qp,
        cq,
        spare: memory.take(),
        reply: None,
        check,
    };
    let elapsed = game.play(options)?;
    report(options, elapsed);
    if let Some(check) = &game.check {
        println!(
            "{} messages checked, {} bytes right",
            check.messages, check.bytes
        );
    }
    game.qp.close()?;
    Ok(())
}

/// Who calls whom.
enum Role<'a> {
    Server(TcpListener),
    Client(&'a str),
}

/// The way to the peer, as far as this side decides it.
struct Path {
    mtu: Mtu,
    sl: u8,
    gid_index: Option<GidIndex>,
}

/// A queue pair with its receives posted, and one buffer more than those.
fn prepare(context: &Context, options: &Options) -> Result<(Cq, Mr, Qp<Rc, Init>)> {
    let depth = QpCap::new(1, options.rx_depth);
    let pd = context.alloc_pd()?;
    let cq = context.create_cq(depth.sends() + depth.recvs())?;
    let memory = pd.register_local(options.rx_depth + 1, options.size)?;
    let mut qp = pd.create_rc(&cq, &cq, depth)?.init(options.ib_port)?;
    for _ in 0..options.rx_depth {
        qp.post_recv(memory.take().context("a buffer per receive")?, 0)?;
    }
    Ok((cq, memory, qp))
}

fn random_psn() -> Psn {
    let random = RandomState::new().hash_one("psn");
    Psn::truncate(u32::try_from(random >> 32).unwrap_or(0))
}

fn connect(qp: Qp<Rc, Init>, remote: &Endpoint, psn: Psn, path: &Path) -> Result<Qp<Rc, Rts>> {
    let mut attr = RtrAttr::new(*remote, path.mtu).service_level(path.sl);
    if let Some(index) = path.gid_index.filter(|_| remote.gid.is_some()) {
        attr = attr.via_gid(index);
    }
    Ok(qp.rtr(&attr)?.rts(&RtsAttr::new(psn))?)
}

// ---- The match ----

/// One side of the game. At any time at most one message is under way in each direction.
struct Game {
    qp: Qp<Rc, Rts>,
    cq: Cq,
    /// The buffer that is neither posted nor in flight: the client's next message.
    spare: Option<Buf>,
    /// The server's next message: what it received last.
    reply: Option<Buf>,
    check: Option<Check>,
}

impl Game {
    fn play(&mut self, options: &Options) -> Result<Duration> {
        let client = options.host.is_some();
        let start = Instant::now();
        if client {
            self.serve(0)?;
        }
        let (mut sent, mut received) = (0, 0);
        // The client may send when its message and the reply are through; the server when it got
        // one.
        let (mut sending, mut waiting) = (client, true);
        let mut quiet = Quiet::new();
        while sent < options.iters || received < options.iters {
            let mut busy = false;
            for mut completion in self.cq.poll()? {
                busy = true;
                while let Some(done) = self.qp.complete(&mut completion)? {
                    done.check()?;
                    match done.queue {
                        Queue::Send => {
                            sent += 1;
                            sending = false;
                            give_back(&mut self.qp, &mut self.spare, client, done)?;
                        }
                        Queue::Recv => {
                            if let Some(check) = &mut self.check {
                                check.received(received, done.message())?;
                            }
                            received += 1;
                            waiting = false;
                            let posted_again = if client {
                                done.into_buf()
                            } else {
                                self.reply = done.into_buf();
                                self.spare.take()
                            };
                            if let Some(buf) = posted_again {
                                self.qp.post_recv(buf, 0)?;
                            }
                        }
                    }
                }
            }
            if !sending && !waiting && sent < options.iters {
                if client {
                    self.serve(sent)?;
                } else if let Some(reply) = self.reply.take() {
                    self.qp.post_send(reply, 0)?;
                }
                (sending, waiting) = (true, true);
            }
            quiet.note(busy)?;
        }
        Ok(start.elapsed())
    }

    /// Sends the client's message number `n`.
    fn serve(&mut self, n: u32) -> Result<()> {
        let mut message = self
            .spare
            .take()
            .context("the message is still under way")?;
        if let Some(check) = &self.check {
            check.fill(n, &mut message);
        }
        Ok(self.qp.post_send(message, 0)?)
    }
}

/// Where a sent buffer goes: the client's is its next message; the server posts it to receive, as
/// soon as there is room.
fn give_back(
    qp: &mut Qp<Rc, Rts>,
    spare: &mut Option<Buf>,
    client: bool,
    done: Done,
) -> Result<()> {
    if !client && qp.in_flight(Queue::Recv) < qp.depth(Queue::Recv) {
        return Ok(qp.post_recv(done.bufs, 0)?);
    }
    *spare = done.into_buf();
    Ok(())
}

/// Notices a peer that is gone without a word, at the price of a clock reading now and then.
struct Quiet {
    polls: u32,
    since: Instant,
}

impl Quiet {
    fn new() -> Self {
        Quiet {
            polls: 0,
            since: Instant::now(),
        }
    }

    fn note(&mut self, busy: bool) -> Result<()> {
        self.polls = if busy { 0 } else { self.polls.wrapping_add(1) };
        if self.polls == 1 << 16 {
            self.since = Instant::now();
        } else if self.polls > 0 && self.polls % (1 << 20) == 0 {
            let silence = self.since.elapsed();
            ensure!(
                silence < PATIENCE,
                "nothing heard from the peer for {} s",
                silence.as_secs()
            );
        }
        Ok(())
    }
}

// ---- The meeting ----

/// The text that the sides exchange: LID, queue pair, first packet, GID, and a NUL.
const GREETING_LEN: usize = 52;
const FAREWELL: &[u8] = b"done\0";

fn meet_server(
    host: &str,
    port: u16,
    qp: Qp<Rc, Init>,
    local: &Endpoint,
    path: &Path,
) -> Result<(Qp<Rc, Rts>, Endpoint)> {
    let mut stream = reach(host, port)?;
    stream
        .write_all(greeting(local).as_bytes())
        .context("sending the local address")?;
    let remote = read_greeting(&mut stream)?;
    stream
        .write_all(FAREWELL)
        .context("acknowledging the remote address")?;
    Ok((connect(qp, &remote, local.psn, path)?, remote))
}

/// One socket for both families, or IPv4 where there is no IPv6.
fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)))
        .with_context(|| format!("listening on TCP port {port}"))
}

fn meet_client(
    listener: &TcpListener,
    qp: Qp<Rc, Init>,
    local: &Endpoint,
    path: &Path,
) -> Result<(Qp<Rc, Rts>, Endpoint)> {
    let (mut stream, _) = listener.accept().context("waiting for the client")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let remote = read_greeting(&mut stream)?;
    // Before the answer, which allows the client to send.
    let qp = connect(qp, &remote, local.psn, path)?;
    stream
        .write_all(greeting(local).as_bytes())
        .context("sending the local address")?;
    let mut farewell = [0; FAREWELL.len()];
    stream
        .read_exact(&mut farewell)
        .context("waiting for the client to acknowledge")?;
    Ok((qp, remote))
}

/// Connects, waiting for a server that is just being started.
fn reach(host: &str, port: u16) -> Result<TcpStream> {
    let start = Instant::now();
    loop {
        match TcpStream::connect((host, port)) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused
                    && start.elapsed() < PATIENCE =>
            {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("connecting to {host}:{port}"));
            }
        }
    }
}

fn greeting(local: &Endpoint) -> String {
    let gid = local.gid.map_or([0; 16], Gid::bytes);
    let digits: String = gid.iter().map(|byte| format!("{byte:02x}")).collect();
    let Lid(lid) = local.lid;
    format!(
        "{lid:04x}:{:06x}:{:06x}:{digits}\0",
        local.qpn.number(),
        local.psn.number()
    )
}

fn read_greeting(stream: &mut TcpStream) -> Result<Endpoint> {
    let mut bytes = [0; GREETING_LEN];
    stream
        .read_exact(&mut bytes)
        .context("waiting for the remote address")?;
    parse_greeting(&bytes).context("the peer's address is not of the form LID:QPN:PSN:GID")
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

fn address_line(endpoint: &Endpoint) -> String {
    let Endpoint {
        lid, qpn, psn, gid, ..
    } = endpoint;
    let gid = gid.unwrap_or(Gid::new([0; 16]));
    format!("LID {lid}, QPN {qpn}, PSN {psn}, GID {gid}")
}

fn report(options: &Options, elapsed: Duration) {
    let bytes = u64::from(options.size) * u64::from(options.iters) * 2;
    let seconds = elapsed.as_secs_f64();
    let megabits = Duration::from_micros(bytes.saturating_mul(8)).as_secs_f64() / seconds;
    println!("{bytes} bytes in {seconds:.2} seconds = {megabits:.2} Mbit/sec");
    let per_iteration = seconds * 1e6 / f64::from(options.iters);
    println!(
        "{} iters in {seconds:.2} seconds = {per_iteration:.2} usec/iter",
        options.iters
    );
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
