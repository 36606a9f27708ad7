use std::time::Duration;

use super::{Tcp, Tuning};

/// Tunings to start from. Each is a plain value: what follows it in a chain of setters replaces what it says.
impl Tuning<Tcp> {
    /// For small messages whose delay matters: requests, orders, control.
    ///
    /// - [`nodelay`](Self::nodelay): a small message does not wait for the acknowledgement of the one before, which
    ///   with a peer that delays acknowledgements costs 40 ms.
    /// - [`notsent_lowat`](Self::notsent_lowat) 16 KiB: what is written has at most that much unsent data before it.
    ///   Without it a sender that outruns the path queues up to megabytes, and the next message waits behind them.
    /// - [`busy_poll`](Self::busy_poll) 50 µs: a receive that would sleep looks at the device's queue first, which
    ///   saves the interrupt and the wake-up where the answer comes within that time. It is the value that the
    ///   kernel's documentation of `net.core.busy_read` recommends. It costs up to 50 µs of CPU time per receive; over
    ///   loopback and veth it does nothing, and the report warns so.
    /// - [`user_timeout`](Self::user_timeout) 10 s: a peer that vanished with data in flight shows after 10 seconds and
    ///   not after 15 minutes. It is well above the retransmissions of a path that merely loses packets.
    ///
    /// Not in it: [`quickack`](Self::quickack), which the kernel takes back by itself, so that it cannot be a setting
    /// made once; buffers, which small messages do not fill; anything that needs privilege (but for busy polling
    /// before Linux 6.4, of which the report tells).
    ///
    /// Before connect or listen, or on a connection.
    pub const fn low_latency() -> Self {
        Self::tcp()
            .nodelay(true)
            .notsent_lowat(16 * 1024)
            .busy_poll(Duration::from_micros(50))
            .user_timeout(Duration::from_secs(10))
    }

    /// For few connections that move much: copies, backups, replication.
    ///
    /// - **No buffer is set.** Autotuning lets both grow to the maxima of `net.ipv4.tcp_rmem` and `tcp_wmem`, and stops
    ///   doing so once a buffer is set; a set buffer is also cut at `net.core.rmem_max`, which by default is lower. To
    ///   move more, raise the third number of those sysctls.
    /// - [`nodelay`](Self::nodelay) off: the last, partial segment of a write waits for the next write, so that the path
    ///   carries full segments.
    /// - [`notsent_lowat`](Self::notsent_lowat) 128 KiB: enough for the device to have work between two wake-ups of the
    ///   sender, and the kernel does not hold megabytes that have yet to be sent. Data in flight does not count, so it
    ///   does not slow a long path.
    /// - [`keepalive`](Self::keepalive) after 60 s idle, every 10 s, 6 times: the end that only receives would otherwise
    ///   wait for a vanished sender for good.
    /// - [`user_timeout`](Self::user_timeout) 120 s: equal to when keepalive gives up, and for the sending end a bound
    ///   on how long a path may be gone.
    ///
    /// Before connect or listen, or on a connection.
    pub const fn bulk() -> Self {
        Self::tcp()
            .nodelay(false)
            .notsent_lowat(128 * 1024)
            .keepalive(true)
            .keepalive_idle(Duration::from_secs(60))
            .keepalive_interval(Duration::from_secs(10))
            .keepalive_count(6)
            .user_timeout(Duration::from_secs(120))
    }

    /// For a service with very many connections, most of them idle: what each holds counts, and that the dead are
    /// noticed.
    ///
    /// - [`notsent_lowat`](Self::notsent_lowat) 16 KiB: a peer that does not read holds little of the kernel's memory,
    ///   and the service finds the socket not writable early. Buffers are left to autotuning, which gives an idle
    ///   connection next to nothing; a set buffer would bound the busy ones and save nothing on the idle.
    /// - [`keepalive`](Self::keepalive) after 120 s idle, every 30 s, 4 times: a client that vanished is gone in 4
    ///   minutes. More often would be packets, and on phones battery, for nothing.
    /// - [`user_timeout`](Self::user_timeout) 240 s: the same for a connection with data in flight.
    /// - [`nodelay`](Self::nodelay): such services answer with whole messages.
    /// - [`reuse_port`](Self::reuse_port): several listeners, one a thread, can share the address, and the kernel
    ///   spreads the connections. Every listener of the address must have it.
    /// - [`bind_address_no_port`](Self::bind_address_no_port): a connection that leaves from a given address does not
    ///   take a port of it for itself, so that there can be more than 28 thousand to different peers.
    ///
    /// Before bind, because of the last.
    pub const fn many_connections() -> Self {
        Self::tcp()
            .notsent_lowat(16 * 1024)
            .keepalive(true)
            .keepalive_idle(Duration::from_secs(120))
            .keepalive_interval(Duration::from_secs(30))
            .keepalive_count(4)
            .user_timeout(Duration::from_secs(240))
            .nodelay(true)
            .reuse_port(true)
            .bind_address_no_port(true)
    }
}
