//! Zero-copy sends over plain sockets, on this kernel.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use black_hole::{black_hole, ip};
use netns::{Fresh, in_fresh};
use netprims::Error;
use netprims::buffer::{Rejected, TxBuf, TxPool, Usage, leaked_bytes};
use netprims::fd::{Epoll, Events, Interest};
use netprims::sysctl::Sysctl;
use netprims::tuning::{Timestamping, Tuning};
use netprims::zerocopy::{
    Event, Limit, Message, Origin, Sent, State, Ticket, WhenFull, ZeroCopyOptions, ZeroCopySender,
};
use rstest::rstest;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

mod black_hole;
mod netns;

/// How long anything may take before that is an error. Long: a machine under load is no defect.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOT: u32 = 60_000;

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// A connection whose other end has room for little.
fn tcp_to_a_small_reader() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    near.connect(far.local_addr().unwrap()).unwrap();
    (near, far)
}

fn filled(pool: &TxPool, byte: u8) -> TxBuf {
    let mut buf = pool.take().unwrap();
    buf.fill(byte);
    buf
}

fn in_flight(sent: Result<Sent, Rejected>) -> Ticket {
    match sent {
        Ok(Sent::InFlight {
            ticket, unsent: 0, ..
        }) => ticket,
        other => panic!("{other:?}"),
    }
}

/// What was released, and what else was in the error queue.
#[derive(Debug, Default)]
struct Reaped {
    released: Vec<(Ticket, usize, Usage)>,
    messages: Vec<Message>,
}

impl Reaped {
    fn take(&mut self, event: Event) {
        match event {
            Event::Released {
                ticket,
                bytes,
                usage,
                ..
            } => self.released.push((ticket, bytes, usage)),
            Event::Message(message) => self.messages.push(message),
            other => panic!("{other:?}"),
        }
    }
}

/// Reaps until so many buffers are back and so many other messages have come.
fn reap<S: std::os::fd::AsFd>(
    sender: &mut ZeroCopySender<S>,
    buffers: usize,
    messages: usize,
) -> Reaped {
    let mut reaped = Reaped::default();
    let deadline = Instant::now() + PATIENCE;
    while reaped.released.len() < buffers || reaped.messages.len() < messages {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{reaped:?}");
        sender.wait(Some(left)).unwrap();
        sender.reap(|event| reaped.take(event)).unwrap();
    }
    reaped
}

fn read_all(mut far: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        far.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    })
}

#[test]
fn over_loopback_everything_is_copied_and_told_so() {
    let (near, far) = tcp();
    let reader = read_all(far);
    let pool = TxPool::new(4, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let tickets: Vec<_> = (1..=4)
        .map(|byte| in_flight(sender.send(filled(&pool, byte))))
        .collect();
    assert_eq!(sender.in_flight(), 4);
    let mut released = reap(&mut sender, 4, 0).released;
    released.sort_unstable_by_key(|(ticket, ..)| *ticket);
    let want = tickets
        .iter()
        .map(|ticket| (*ticket, 60_000, Usage::Copied));
    assert!(released.into_iter().eq(want));
    let totals = sender.totals();
    assert_eq!(
        (totals.buffers, totals.copied, totals.zero_copied),
        (4, 240_000, 0)
    );
    assert_eq!((pool.outstanding(), sender.in_flight()), (0, 0));
    drop(sender);
    let want: Vec<u8> = (1..=4).flat_map(|byte| [byte; SLOT as usize]).collect();
    assert!(reader.join().unwrap() == want);
}

#[test]
fn udp_sends_datagrams_to_the_peer_or_to_an_address() {
    let (near, far) = udp();
    let pool = TxPool::new(4, 20_000).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(&near).unwrap();
    in_flight(sender.send(filled(&pool, 1)));
    let third = UdpSocket::bind("127.0.0.1:0").unwrap();
    in_flight(sender.send_to(filled(&pool, 2), third.local_addr().unwrap()));
    for (socket, byte) in [(&far, 1), (&third, 2)] {
        let mut got = vec![0; 30_000];
        let len = socket.recv(&mut got).unwrap();
        assert!(got[..len] == [byte; 20_000]);
    }
    let released = reap(&mut sender, 2, 0).released;
    assert!(released.iter().all(|(.., usage)| *usage == Usage::Copied));
    let small = match sender.send({
        let mut buf = filled(&pool, 3);
        buf.set_len(16_383).unwrap();
        buf
    }) {
        Ok(Sent::Copied(buf)) => buf,
        other => panic!("{other:?}"),
    };
    assert_eq!((small.len(), sender.totals().plain), (16_383, 16_383));
}

#[test]
fn what_the_kernel_refuses_comes_back_with_its_buffer() {
    let pool = TxPool::new(4, 70_000).unwrap();
    let mut unconnected = ZeroCopyOptions::new()
        .attach(UdpSocket::bind("127.0.0.1:0").unwrap())
        .unwrap();
    let mut buf = filled(&pool, 7);
    buf.set_len(60_000).unwrap();
    let mut rejected = unconnected.send(buf).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EDESTADDRREQ));
    assert!(rejected.buf.iter().all(|byte| *byte == 7), "unchanged");
    let (near, far) = udp();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    rejected.buf.set_len(70_000).unwrap();
    let rejected = sender.send(rejected.buf).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(sender.state(), State::ZeroCopy);
    let (stream, _peer) = tcp();
    let mut stream = ZeroCopyOptions::new().attach(stream).unwrap();
    let address = far.local_addr().unwrap();
    let rejected = stream.send_to(rejected.buf, address).unwrap_err();
    assert!(matches!(
        rejected.error,
        Error::InvalidValue {
            option: "send_to",
            ..
        }
    ));
    stream.socket().shutdown(Shutdown::Write).unwrap();
    let rejected = stream.send(rejected.buf).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EPIPE));
    drop(rejected);
    assert_eq!(pool.outstanding(), 0);
}

fn socket(domain: Domain, kind: Type, protocol: Protocol) -> Option<Socket> {
    Socket::new(domain, kind, Some(protocol)).ok()
}

#[rstest]
#[case::unix(Some(UnixStream::pair().unwrap().0.into()))]
#[case::udp_lite(socket(Domain::IPV4, Type::DGRAM, Protocol::from(136)))]
#[case::multipath(socket(Domain::IPV4, Type::STREAM, Protocol::from(262)))]
#[case::raw(socket(Domain::IPV4, Type::RAW, Protocol::ICMPV4))]
#[case::on_already({
    let socket = socket(Domain::IPV6, Type::STREAM, Protocol::TCP).unwrap();
    Tuning::new().zerocopy(true).apply(&socket).unwrap();
    Some(socket)
})]
fn a_socket_that_will_not_do_is_given_back(#[case] socket: Option<Socket>) {
    // Not every kernel has every protocol, nor may everybody open it; there is nothing to refuse then.
    let Some(socket) = socket else { return };
    let before = SockRef::from(&socket).local_addr().unwrap();
    let refused = ZeroCopyOptions::new().attach(socket).unwrap_err();
    let Error::InvalidValue { option, .. } = &refused.error else {
        panic!("{}", refused.error)
    };
    assert_eq!(*option, "SO_ZEROCOPY");
    assert_eq!(
        refused.socket.local_addr().unwrap().family(),
        before.family()
    );
}

#[rstest]
#[case(0)]
#[case(65_535)]
fn a_number_out_of_range_is_refused_before_anything_is_touched(#[case] most: u32) {
    let (near, _far) = udp();
    let refused = ZeroCopyOptions::new()
        .in_flight(most)
        .attach(near)
        .unwrap_err();
    assert!(matches!(
        refused.error,
        Error::InvalidValue {
            option: "in_flight",
            ..
        }
    ));
    ZeroCopyOptions::new().attach(refused.socket).unwrap();
}

#[test]
fn what_is_no_socket_is_an_error() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let refused = ZeroCopyOptions::new().attach(file).unwrap_err();
    assert_eq!(refused.error.raw_os_error(), Some(libc::ENOTSOCK));
}

#[test]
fn on_a_device_that_does_not_copy_all_is_zero_copied() {
    let test = "on_a_device_that_does_not_copy_all_is_zero_copied";
    in_fresh(Fresh::Network, test, || {
        black_hole();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        socket.connect("10.7.0.2:9").unwrap();
        let pool = TxPool::new(32, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(socket).unwrap();
        let lens = [16 * 1024, 16 * 1024 + 1, 30_000, 60_000];
        for len in lens.into_iter().cycle().take(320) {
            let mut buf = filled(&pool, 1);
            buf.set_len(len).unwrap();
            in_flight(sender.send(buf));
            let [(_, bytes, usage)] = reap(&mut sender, 1, 0).released[..] else {
                panic!("more than was sent")
            };
            assert_eq!((bytes, usage), (len, Usage::ZeroCopied));
        }
        let mut buf = filled(&pool, 1);
        buf.set_len(16 * 1024 - 1).unwrap();
        assert!(matches!(sender.send(buf), Ok(Sent::Copied(_))));
        let totals = sender.totals();
        let sent: usize = lens.iter().sum::<usize>() * 80;
        assert_eq!((totals.buffers, totals.zero_copied), (321, sent as u64));
        assert_eq!((totals.copied, totals.plain), (0, 16 * 1024 - 1));
    });
}

fn tc(arguments: &str) {
    let output = Command::new("tc")
        .args(arguments.split(' '))
        .output()
        .expect("tc, of iproute2");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tc {arguments}: {text}");
}

/// A device whose queue keeps what it is given, all but the first 60000 bytes.
fn a_queue_that_stands_still() {
    tc("qdisc replace dev hole root tbf rate 8kbit burst 70000 limit 100000000");
}

#[rstest]
#[case::hidden(false)]
#[case::told(true)]
fn a_send_that_the_queue_drops_is_counted(#[case] told: bool) {
    let case = if told { "case_2_told" } else { "case_1_hidden" };
    let test = format!("a_send_that_the_queue_drops_is_counted::{case}");
    in_fresh(Fresh::Network, &test, || {
        black_hole();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        Tuning::new().receive_errors(told).apply(&socket).unwrap();
        socket.connect("10.7.0.2:9").unwrap();
        let pool = TxPool::new(4, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(socket).unwrap();
        // A queue with no room at all.
        tc("qdisc replace dev hole root bfifo limit 1");
        if told {
            let rejected = sender.send(filled(&pool, 1)).unwrap_err();
            assert_eq!(rejected.error.raw_os_error(), Some(libc::ENOBUFS));
            assert!(!matches!(rejected.error, Error::ZeroCopyFull(_)));
        } else {
            in_flight(sender.send(filled(&pool, 1)));
            reap(&mut sender, 1, 0);
        }
        assert_eq!((sender.state(), sender.in_flight()), (State::ZeroCopy, 0));
        a_queue_that_stands_still();
        let passes = in_flight(sender.send(filled(&pool, 2)));
        let stays = in_flight(sender.send(filled(&pool, 3)));
        // Were the dropped one not counted, the notification of this one would be taken for that of the next.
        assert_eq!(reap(&mut sender, 1, 0).released[0].0, passes);
        assert!(!sender.wait(Some(Duration::from_millis(50))).unwrap());
        assert_eq!((sender.in_flight(), pool.outstanding()), (1, 1));
        tc("qdisc del dev hole root");
        assert_eq!(reap(&mut sender, 1, 0).released[0].0, stays);
    });
}

#[rstest]
#[case::copy(WhenFull::Copy)]
#[case::refuse(WhenFull::Refuse)]
fn without_room_for_notifications_it_copies_or_refuses(#[case] when_full: WhenFull) {
    let case = match when_full {
        WhenFull::Copy => "case_1_copy",
        _ => "case_2_refuse",
    };
    let test = format!("without_room_for_notifications_it_copies_or_refuses::{case}");
    in_fresh(Fresh::Network, &test, || {
        black_hole();
        // Before Linux 6.8 it is the machine's, and 20 KiB by default: leave it so.
        let room = Sysctl::new("net.core.optmem_max");
        let is_ours = room.read().unwrap().is_some();
        if is_ours {
            room.write(8192).unwrap();
        }
        a_queue_that_stands_still();
        let socket = UdpSocket::bind("10.7.0.1:0").unwrap();
        SockRef::from(&socket)
            .set_send_buffer_size(1 << 20)
            .unwrap();
        socket.connect("10.7.0.2:9").unwrap();
        let pool = TxPool::new(64, 4096).unwrap();
        let options = ZeroCopyOptions::new().threshold(1).when_full(when_full);
        let mut sender = options.attach(socket).unwrap();
        let mut held = 0;
        let last = loop {
            match sender.send(filled(&pool, 5)) {
                Ok(Sent::InFlight { .. }) => held += 1,
                last => break last,
            }
        };
        assert!(held > 0);
        match (when_full, last) {
            (WhenFull::Copy, Ok(Sent::Copied(_))) => {
                assert_eq!((sender.totals().full, sender.totals().plain), (1, 4096));
            }
            (WhenFull::Refuse, Err(rejected)) => {
                assert!(matches!(rejected.error, Error::ZeroCopyFull(Limit::Kernel)));
                let text = rejected.error.to_string();
                assert!(text.contains("net.core.optmem_max"), "{text}");
                assert!(rejected.buf.iter().all(|byte| *byte == 5));
            }
            (_, last) => panic!("{last:?}"),
        }
        assert_eq!(sender.state(), State::ZeroCopy);
        tc("qdisc del dev hole root");
        let released = reap(&mut sender, 1, 0).released.len();
        assert!(released <= held);
        in_flight(sender.send(filled(&pool, 6)));
    });
}

#[test]
fn without_lockable_memory_it_refuses_too() {
    const INSIDE: &str = "NETPRIMS_TEST_MEMLOCK";
    let test = "without_lockable_memory_it_refuses_too";
    if std::env::var_os(INSIDE).is_none() {
        let mut command = Command::new("prlimit");
        command.arg("--memlock=0");
        // Without the capability in its bounding set root does not get it by executing a program.
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            command.args(["setpriv", "--bounding-set=-ipc_lock"]);
        }
        let output = command
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(INSIDE, "1")
            .output()
            .expect("prlimit, of util-linux");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1 passed"), "under a limit:\n{text}");
        return;
    }
    let (near, _far) = udp();
    let pool = TxPool::new(1, 4096).unwrap();
    let options = ZeroCopyOptions::new()
        .threshold(1)
        .when_full(WhenFull::Refuse);
    let mut sender = options.attach(near).unwrap();
    let rejected = sender.send(filled(&pool, 5)).unwrap_err();
    assert!(matches!(rejected.error, Error::ZeroCopyFull(Limit::Kernel)));
    assert!(rejected.error.to_string().contains("RLIMIT_MEMLOCK"));
}

#[test]
fn other_messages_of_the_error_queue_are_handed_out() {
    let near = UdpSocket::bind("127.0.0.1:0").unwrap();
    let timestamping = Timestamping::TX_SOFTWARE.and(Timestamping::SOFTWARE);
    Tuning::new()
        .receive_errors(true)
        .timestamping(timestamping)
        .apply(&near)
        .unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = far.local_addr().unwrap();
    let pool = TxPool::new(2, 4096).unwrap();
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(near).unwrap();
    in_flight(sender.send_to(filled(&pool, 1), address));
    far.recv(&mut [0; 5000]).unwrap();
    let stamped = reap(&mut sender, 1, 1);
    let [message] = &stamped.messages[..] else {
        panic!("{stamped:?}")
    };
    assert_eq!(message.origin, Origin::Timestamping);
    assert_eq!(message.error().unwrap().raw_os_error(), Some(libc::ENOMSG));
    assert!(message.software_time.is_some() && message.hardware_time.is_none());

    drop(far);
    in_flight(sender.send_to(filled(&pool, 2), address));
    let refused = reap(&mut sender, 1, 2);
    let icmp = refused
        .messages
        .iter()
        .find(|message| message.origin == Origin::Icmp);
    let icmp = icmp.unwrap();
    assert_eq!(
        icmp.error().unwrap().raw_os_error(),
        Some(libc::ECONNREFUSED)
    );
    assert_eq!(icmp.destination, Some(address));
    assert_eq!(icmp.offender, Some(address.ip()));
    assert!(!icmp.payload().is_empty() && icmp.payload().iter().all(|byte| *byte == 2));
    assert_eq!(sender.totals().strays, 0);
}

/// Fills a connection whose reader sleeps. How many bytes it took, and the sender.
fn stalled(pool: &TxPool) -> (usize, ZeroCopySender<TcpStream>, TcpStream) {
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    SockRef::from(&near).set_send_buffer_size(200_000).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let mut taken = 0;
    while let Some(mut buf) = pool.take() {
        let mark = u8::try_from(taken / SLOT as usize + 1).unwrap();
        buf.fill(mark);
        match sender.send(buf) {
            Ok(Sent::InFlight { unsent, .. }) => taken += SLOT as usize - unsent,
            Err(rejected) if rejected.error.raw_os_error() == Some(libc::EAGAIN) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(sender.in_flight() > 2 && pool.outstanding() < pool.slots());
    (taken, sender, far)
}

fn assert_marks(bytes: &[u8]) {
    let is_right = |(at, byte): (usize, &u8)| usize::from(*byte) == at / SLOT as usize + 1;
    assert!(bytes.iter().enumerate().all(is_right));
}

#[test]
fn closing_waits_no_longer_than_its_limit_and_reuses_nothing_early() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let leaked = leaked_bytes();
    let (taken, sender, far) = stalled(&pool);
    let mut reaped = Reaped::default();
    let closed = sender
        .close(Duration::from_millis(20), |event| reaped.take(event))
        .unwrap();
    assert!(closed.renewed > 0 && closed.leaked == 0, "{closed:?}");
    assert_eq!((pool.outstanding(), leaked_bytes()), (0, leaked));
    while let Some(mut buf) = pool.take() {
        buf.fill(0xee);
        std::mem::forget(buf);
    }
    let bytes = read_all(far).join().unwrap();
    assert_eq!(bytes.len(), taken);
    assert_marks(&bytes);
}

#[test]
fn closing_gives_back_what_the_reader_takes() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, sender, far) = stalled(&pool);
    let reader = read_all(far);
    let mut reaped = Reaped::default();
    let closed = sender.close(PATIENCE, |event| reaped.take(event)).unwrap();
    assert_eq!((closed.renewed, closed.leaked), (0, 0));
    let bytes: usize = reaped.released.iter().map(|(_, bytes, _)| bytes).sum();
    assert_eq!(bytes, taken);
    assert_eq!(reaped.released.len() as u64, closed.totals.buffers);
    assert_eq!(pool.outstanding(), 0);
    assert_marks(&reader.join().unwrap());
}

#[test]
fn a_connection_that_is_reset_gives_everything_back() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (_, mut sender, far) = stalled(&pool);
    SockRef::from(&far)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(far);
    let deadline = Instant::now() + PATIENCE;
    while sender.totals().copied + sender.totals().zero_copied == 0 || sender.in_flight() > 1 {
        assert!(Instant::now() < deadline, "{sender:?}");
        sender.reap(drop).unwrap();
    }
    let error = sender.flush().unwrap_err();
    let errno = error.raw_os_error().unwrap();
    assert!([libc::ECONNRESET, libc::EPIPE].contains(&errno), "{error}");
    let closed = sender.close(PATIENCE, drop).unwrap();
    assert_eq!(
        (closed.renewed, closed.leaked, pool.outstanding()),
        (0, 0, 0)
    );
}

#[test]
fn a_forgotten_sender_keeps_its_buffers() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (taken, sender, far) = stalled(&pool);
    let held = pool.outstanding();
    assert!(held > 2);
    SockRef::from(sender.socket())
        .shutdown(Shutdown::Write)
        .unwrap();
    std::mem::forget(sender);
    let free: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
    assert_eq!(free.len(), 16 - held as usize);
    let bytes = read_all(far).join().unwrap();
    assert_eq!(bytes.len(), taken);
    assert_marks(&bytes);
    assert_eq!(pool.outstanding(), 16);
}

#[cfg(feature = "ring")]
#[test]
fn a_rings_buffers_can_be_sent_and_are_leaked_where_a_pool_of_its_own_is_renewed() {
    let mut ring = netprims::ring::Ring::builder().build().unwrap();
    let pool = ring.tx_pool(16, SLOT).unwrap();
    let before = leaked_bytes();
    let (_, sender, far) = stalled(&pool);
    let held = pool.outstanding();
    drop(sender);
    assert!(leaked_bytes() >= before + 16 * u64::from(SLOT));
    assert!(pool.outstanding() > 0 && pool.outstanding() <= held);
    assert_marks(&read_all(far).join().unwrap());
    // The other way round a ring does not take what it has not registered.
    let socket = ring.add(udp().0).unwrap();
    let foreign = TxPool::new(1, 16).unwrap().take().unwrap();
    let rejected = ring
        .send(socket, foreign, netprims::ring::ZcPolicy::Always)
        .unwrap_err();
    assert!(matches!(rejected.error, Error::ForeignBuffer));
}

#[test]
fn somebody_else_who_sends_without_copying_ends_all_releases() {
    let pool = TxPool::new(16, SLOT).unwrap();
    let (near, far) = tcp_to_a_small_reader();
    let other = near.try_clone().unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    SockRef::from(&other)
        .send_with_flags(&[1; 20_000], libc::MSG_ZEROCOPY)
        .unwrap();
    let reader = read_all(far);
    let deadline = Instant::now() + PATIENCE;
    while sender.state() == State::ZeroCopy {
        assert!(Instant::now() < deadline, "{sender:?}");
        sender.wait(Some(PATIENCE)).unwrap();
        sender.reap(drop).unwrap();
    }
    assert_eq!(
        (sender.state(), sender.totals().strays),
        (State::Disturbed, 1)
    );
    assert!(matches!(sender.send(filled(&pool, 1)), Ok(Sent::Copied(_))));
    drop((sender, other));
    assert_eq!(reader.join().unwrap().len(), 20_000 + SLOT as usize);
}

#[test]
fn a_descriptor_that_answers_for_several_sockets_is_seen_through() {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Either([UdpSocket; 2], AtomicUsize);

    impl AsFd for Either {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0[self.1.load(Ordering::Relaxed)].as_fd()
        }
    }

    let [(first, far), (second, _)] = [(); 2].map(|()| udp());
    let pool = TxPool::new(2, 4096).unwrap();
    let either = Either([first, second], AtomicUsize::new(0));
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(either).unwrap();
    in_flight(sender.send(filled(&pool, 1)));
    sender.socket().1.store(1, Ordering::Relaxed);
    let rejected = sender.send(filled(&pool, 1)).unwrap_err();
    assert_eq!(rejected.error.raw_os_error(), Some(libc::EBADF));
    sender.reap(drop).unwrap_err();
    sender.socket().1.store(0, Ordering::Relaxed);
    far.recv(&mut [0; 5000]).unwrap();
    reap(&mut sender, 1, 0);
}

/// Sends so many buffers of a pattern, each when there is room and a free slot, as `wait` waits.
fn epoll_rounds(volume: usize) -> u64 {
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    let reader = read_all(far);
    let pool = TxPool::new(8, SLOT).unwrap();
    let mut sender = ZeroCopyOptions::new().attach(near).unwrap();
    let epoll = Epoll::new().unwrap();
    epoll
        .add(&sender, 0, Interest::WRITABLE.edge_triggered())
        .unwrap();
    let mut events = Events::with_capacity(4);
    let mut given = 0;
    let mut released = 0;
    while given < volume || sender.in_flight() > 0 {
        while given < volume && sender.unsent() == 0 {
            let Some(mut buf) = pool.take() else { break };
            buf.fill(u8::try_from(given % 251).unwrap());
            match sender.send(buf) {
                Ok(_) => given += 1,
                Err(rejected) if rejected.error.raw_os_error() == Some(libc::EAGAIN) => break,
                Err(rejected) => panic!("{rejected}"),
            }
        }
        assert!(
            epoll.wait(&mut events, Some(PATIENCE)).unwrap() > 0,
            "{sender:?}"
        );
        for event in events.iter() {
            if event.is_writable() {
                sender.flush().unwrap();
            }
            if event.is_error() {
                released += sender.reap(drop).unwrap() as u64;
            }
        }
    }
    drop(sender);
    let want = (0..volume).flat_map(|nth| [u8::try_from(nth % 251).unwrap(); SLOT as usize]);
    assert!(reader.join().unwrap().into_iter().eq(want));
    released
}

#[test]
fn edge_triggered_epoll_tells_what_to_do() {
    assert_eq!(epoll_rounds(100), 100);
}

#[test]
fn tokio_tells_what_to_do() {
    use tokio::io::Interest;

    const BUFFERS: usize = 100;
    let (near, far) = tcp_to_a_small_reader();
    near.set_nonblocking(true).unwrap();
    let reader = read_all(far);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = Arc::new(tokio::net::TcpStream::from_std(near).unwrap());
        let pool = TxPool::new(8, SLOT).unwrap();
        let mut sender = ZeroCopyOptions::new().attach(Arc::clone(&stream)).unwrap();
        let (mut given, mut released) = (0, 0);
        while released < BUFFERS {
            while given < BUFFERS && sender.unsent() == 0 {
                let Some(mut buf) = pool.take() else { break };
                buf.fill(u8::try_from(given).unwrap());
                match sender.send(buf) {
                    Ok(_) => given += 1,
                    Err(rejected) if rejected.error.raw_os_error() == Some(libc::EAGAIN) => break,
                    Err(rejected) => panic!("{rejected}"),
                }
            }
            let interest = if sender.unsent() > 0 {
                Interest::ERROR | Interest::WRITABLE
            } else {
                Interest::ERROR
            };
            let ready = stream.ready(interest).await.unwrap();
            if ready.is_writable() {
                let _ = stream.try_io(Interest::WRITABLE, || match sender.flush().unwrap() {
                    0 => Ok(()),
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                });
            }
            if ready.is_error() {
                let _ = stream.try_io(Interest::ERROR, || match sender.reap(drop).unwrap() {
                    0 => Err::<(), _>(io::ErrorKind::WouldBlock.into()),
                    count => {
                        released += count;
                        Ok(())
                    }
                });
            }
        }
    });
    let want = (0..BUFFERS).flat_map(|nth| [u8::try_from(nth).unwrap(); SLOT as usize]);
    assert!(reader.join().unwrap().into_iter().eq(want));
}

#[test]
fn a_handler_that_panics_loses_one_event() {
    let (near, far) = udp();
    let pool = TxPool::new(4, 4096).unwrap();
    let mut sender = ZeroCopyOptions::new().threshold(1).attach(near).unwrap();
    for _ in 0..4 {
        in_flight(sender.send(filled(&pool, 1)));
        far.recv(&mut [0; 5000]).unwrap();
    }
    sender.wait(Some(PATIENCE)).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sender.reap(|_| panic!("a handler")).unwrap()
    }));
    assert!(panicked.is_err());
    reap(&mut sender, 3, 0);
    assert_eq!((pool.outstanding(), sender.in_flight()), (0, 0));
}
