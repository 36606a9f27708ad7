use std::net::SocketAddr;
use std::num::NonZeroU32;

use socket2::Socket;

use super::{Group, Steering};
use crate::socket::{TcpBuilder, TcpListener, UdpBuilder, UdpSocket};
use crate::tuning::{Outcome, Report, Value};
use crate::{Error, Result};

/// As many as the kernel's table grows to (`reuseport_grow` in `net/core/sock_reuseport.c`).
const MOST: u32 = 1 << 15;

impl TcpBuilder {
    /// Opens several listeners on one address, each with a queue of its own, tuned as [`listen`](Self::listen) does it.
    /// With port 0 the kernel chooses one port for all. One report for each, in the order of the members.
    ///
    /// The address must be nobody's: a group's places count from zero. While the members are opened, a socket of the
    /// same user that asks for `SO_REUSEPORT` may take a place among them, [unseen](Group#places). Sets `SO_REUSEPORT`,
    /// and `SO_REUSEADDR` as `listen` does. The steering is in force before the first member listens; connections that
    /// arrive before the last one does go to those that are there.
    ///
    /// # Errors
    ///
    /// All that were opened are closed.
    ///
    /// - [`Error::InvalidValue`]: no members or more than 32 768, CPUs that [`Steering::Cpus`] does not take, or a tuning
    ///   that asks for `SO_REUSEPORT` off.
    /// - those of [`listen`](Self::listen). `EADDRINUSE` also if another group is at the address, or connections of a
    ///   predecessor that had set `SO_REUSEPORT` and not `SO_REUSEADDR` have not ended or are in TIME_WAIT: the first
    ///   member is bound without `SO_REUSEPORT`, to find out whether it is alone.
    /// - those of [`Group::steer`].
    pub fn listen_group(
        &self,
        local: SocketAddr,
        members: usize,
        steering: Steering<'_>,
    ) -> Result<(Group<TcpListener>, Vec<Report>)> {
        let count = count(members)?;
        steering.check(count)?;
        make(count, local, TcpListener::local_addr, |local, first| {
            self.listen_with(
                local,
                |socket, report| {
                    may_share(report)?;
                    share(socket, !first)
                },
                |socket| {
                    if first {
                        share(socket, true)?;
                    }
                    if first && steering.is_programmed() {
                        steering.apply(socket, count)?;
                    }
                    Ok(())
                },
            )
        })
    }
}

impl UdpBuilder {
    /// Opens several sockets on one address, each with a queue of its own, tuned as [`bind`](Self::bind) does it. With
    /// port 0 the kernel chooses one port for all. One report for each, in the order of the members.
    ///
    /// The address must be nobody's: a group's places count from zero. While the members are opened, a socket of the
    /// same user that asks for `SO_REUSEPORT` may take a place among them, [unseen](Group#places). Sets `SO_REUSEPORT`.
    /// The steering is in force before the first member is bound; datagrams that arrive before the last one is go to
    /// those that are there. Linux 4.5.
    ///
    /// Do not connect a member: a group that has connected sockets is not steered by its program alone.
    ///
    /// # Errors
    ///
    /// All that were opened are closed.
    ///
    /// - [`Error::InvalidValue`]: no members or more than 32 768, CPUs that [`Steering::Cpus`] does not take, or a tuning
    ///   that asks for `SO_REUSEPORT` off or `SO_REUSEADDR` on.
    /// - those of [`bind`](Self::bind); `EADDRINUSE` also if another group is at the address.
    /// - those of [`Group::steer`].
    pub fn bind_group(
        &self,
        local: SocketAddr,
        members: usize,
        steering: Steering<'_>,
    ) -> Result<(Group<UdpSocket>, Vec<Report>)> {
        let count = count(members)?;
        steering.check(count)?;
        make(count, local, UdpSocket::local_addr, |local, first| {
            self.bind_with(
                local,
                |socket, report| {
                    may_share(report)?;
                    refuse(
                        report,
                        "SO_REUSEADDR",
                        true,
                        "a group could not tell that others are at its address",
                    )?;
                    share(socket, true)?;
                    // A program is what makes a group of one UDP socket. It has to come before the bind; a socket that
                    // has its group by then shares the address with nobody who is there.
                    if first {
                        steering.found(socket, count)?;
                    }
                    Ok(())
                },
                |socket| match (first, steering) {
                    (true, Steering::Kernel) => steering.apply(socket, count),
                    _ => Ok(()),
                },
            )
        })
    }
}

/// A number of members, checked.
pub(super) fn count(members: usize) -> Result<NonZeroU32> {
    let number = u32::try_from(members).ok().filter(|number| *number <= MOST);
    number
        .and_then(NonZeroU32::new)
        .ok_or_else(|| Error::InvalidValue {
            option: "members",
            value: members.to_string(),
            reason: "a group has 1 to 32768 members",
        })
}

/// Opens the members in the order of their places. `open` gets the address, and whether it is the first: that one is
/// bound so that it finds out whether it is alone.
fn make<S>(
    members: NonZeroU32,
    local: SocketAddr,
    address: fn(&S) -> Result<SocketAddr>,
    mut open: impl FnMut(SocketAddr, bool) -> Result<(S, Report)>,
) -> Result<(Group<S>, Vec<Report>)> {
    let (first, report) = open(local, true)?;
    let local = address(&first)?;
    let mut opened = vec![first];
    let mut reports = vec![report];
    for _ in 1..members.get() {
        let (member, report) = open(local, false)?;
        opened.push(member);
        reports.push(report);
    }
    Ok((Group { members: opened }, reports))
}

/// Refuses a tuning that keeps the members from sharing the address.
fn may_share(report: &Report) -> Result<()> {
    refuse(
        report,
        "SO_REUSEPORT",
        false,
        "the members of a group share an address",
    )
}

fn refuse(report: &Report, option: &'static str, on: bool, reason: &'static str) -> Result<()> {
    match report.outcome(option).map(Outcome::requested) {
        Some(requested) if requested == Value::Flag(on) => Err(Error::InvalidValue {
            option,
            value: requested.to_string(),
            reason,
        }),
        _ => Ok(()),
    }
}

fn share(socket: &Socket, on: bool) -> Result<()> {
    socket
        .set_reuse_port(on)
        .map_err(|error| Error::system("setsockopt SO_REUSEPORT", "a member of a group", error))
}
