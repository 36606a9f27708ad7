//! What the kernel tells of a device over the netlink family `ethtool`.
//!
//! Source: `include/uapi/linux/ethtool_netlink_generated.h`, `Documentation/networking/ethtool-netlink.rst`.

use std::io::{self, Read, Write};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::message::{Attributes, Reply, Request};

/// A conversation with the family.
pub(super) struct Ethtool {
    socket: Socket,
    family: u16,
    sequence: u32,
}

/// How a device splits packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rings {
    /// Whether headers and data of TCP go to different buffers; `None` where the device does not say.
    pub(super) split: Option<bool>,
    /// Packets up to this length are not split. Absent where it cannot be chosen.
    pub(super) threshold: Option<u32>,
}

const ETHTOOL: &[u8] = b"ethtool\0";

// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`.
const CONTROLLER: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

// `ETHTOOL_A_..._HEADER`, the same in all; `ETHTOOL_A_HEADER_DEV_INDEX`.
const HEADER: u16 = 1;
const DEVICE_INDEX: u16 = 1;

// `ETHTOOL_MSG_RINGS_GET` and its attributes.
const RINGS_GET: u8 = 15;
const RINGS_SPLIT: u16 = 11;
const RINGS_THRESHOLD: u16 = 17;
const SPLIT_OFF: u8 = 1;
const SPLIT_ON: u8 = 2;

// `ETHTOOL_MSG_CHANNELS_GET` and its attributes.
const CHANNELS_GET: u8 = 17;
const CHANNELS_RECEIVE: u16 = 6;
const CHANNELS_COMBINED: u16 = 9;

// `ETHTOOL_MSG_RSS_GET` and its attributes.
const SPREAD_GET: u8 = 38;
const SPREAD_CONTEXT: u16 = 2;
const SPREAD_TABLE: u16 = 4;

/// The kernel answers at once; what has not come by then never does.
const PATIENCE: Duration = Duration::from_secs(2);

/// The kernel's tables of queues have a few hundred entries; drivers do not go past 16 384.
const LONGEST_REPLY: usize = 128 * 1024;

impl Ethtool {
    pub(super) fn open() -> io::Result<Self> {
        let protocol = Protocol::from(libc::NETLINK_GENERIC);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut ethtool = Self {
            socket,
            family: CONTROLLER,
            sequence: 0,
        };
        let id = ethtool.ask(
            GET_FAMILY,
            |request| request.attribute(FAMILY_NAME, ETHTOOL),
            |answer| answer.half(FAMILY_ID),
        )?;
        ethtool.family = id.ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))?;
        Ok(ethtool)
    }

    /// How the device splits packets (Linux 5.17; the threshold 6.14).
    pub(super) fn rings(&mut self, interface: u32) -> io::Result<Rings> {
        self.ask(RINGS_GET, |request| of(request, interface), rings)
    }

    /// How many receive queues it has (Linux 5.7).
    pub(super) fn queues(&mut self, interface: u32) -> io::Result<u32> {
        self.ask(CHANNELS_GET, |request| of(request, interface), queues)
    }

    /// To which queues it spreads what no rule steers; of a context, what a rule steers to it (Linux 6.3). `None` if it
    /// has no such table.
    pub(super) fn spread(&mut self, interface: u32, context: u32) -> io::Result<Option<Vec<u32>>> {
        let ask = |request| {
            let request = of(request, interface);
            match context {
                0 => request,
                context => request.attribute(SPREAD_CONTEXT, &context.to_ne_bytes()),
            }
        };
        self.ask(SPREAD_GET, ask, |answer| answer.words(SPREAD_TABLE))
    }

    fn ask<T>(
        &mut self,
        command: u8,
        fill: impl FnOnce(Request) -> Request,
        read: impl FnOnce(Attributes<'_>) -> T,
    ) -> io::Result<T> {
        self.sequence += 1;
        let request = fill(Request::new(self.family, command, self.sequence));
        self.socket.write_all(&request.into_bytes())?;
        let mut bytes = vec![0; LONGEST_REPLY];
        loop {
            let len = self.socket.read(&mut bytes)?;
            match Reply::read(bytes.get(..len).unwrap_or_default(), self.sequence) {
                Some(Reply::Answer(answer)) => return Ok(read(answer)),
                Some(Reply::Refused(errno)) => return Err(io::Error::from_raw_os_error(errno)),
                // An answer to a question that was given up.
                None => {}
            }
        }
    }
}

fn of(request: Request, interface: u32) -> Request {
    request.nested(HEADER, DEVICE_INDEX, &interface.to_ne_bytes())
}

fn rings(answer: Attributes<'_>) -> Rings {
    let split = match answer.byte(RINGS_SPLIT) {
        Some(SPLIT_ON) => Some(true),
        Some(SPLIT_OFF) => Some(false),
        _ => None,
    };
    Rings {
        split,
        threshold: answer.word(RINGS_THRESHOLD),
    }
}

fn queues(answer: Attributes<'_>) -> u32 {
    let [receive, combined] =
        [CHANNELS_RECEIVE, CHANNELS_COMBINED].map(|kind| answer.word(kind).unwrap_or(0));
    receive.saturating_add(combined)
}

#[cfg(test)]
mod tests {
    use super::super::message::Request;
    use super::*;
    use rstest::rstest;

    /// An answer with these attributes, as bytes.
    fn answer(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let start = Request::new(20, 16, 1);
        let fill = |request: Request, (kind, value): &(u16, &[u8])| request.attribute(*kind, value);
        attributes.iter().fold(start, fill).into_bytes()
    }

    fn read<T>(bytes: &[u8], read: impl FnOnce(Attributes<'_>) -> T) -> T {
        match Reply::read(bytes, 1) {
            Some(Reply::Answer(answer)) => read(answer),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::on(&[(RINGS_SPLIT, &[2][..])], Some(true), None)]
    #[case::off(&[(RINGS_SPLIT, &[1][..])], Some(false), None)]
    #[case::unknown(&[(RINGS_SPLIT, &[0][..])], None, None)]
    #[case::newer_than_known(&[(RINGS_SPLIT, &[3][..])], None, None)]
    #[case::untold(&[], None, None)]
    #[case::empty(&[(RINGS_SPLIT, &[][..])], None, None)]
    #[case::threshold(&[(RINGS_THRESHOLD, &7_u32.to_ne_bytes()[..])], None, Some(7))]
    #[case::short_threshold(&[(RINGS_THRESHOLD, &[7][..])], None, None)]
    fn rings_are_read(
        #[case] attributes: &[(u16, &[u8])],
        #[case] split: Option<bool>,
        #[case] threshold: Option<u32>,
    ) {
        let want = Rings { split, threshold };
        assert_eq!(read(&answer(attributes), rings), want);
    }

    #[rstest]
    #[case::both(&[(CHANNELS_RECEIVE, 2), (CHANNELS_COMBINED, 6)], 8)]
    #[case::combined(&[(CHANNELS_COMBINED, 6)], 6)]
    #[case::none(&[], 0)]
    #[case::too_many(&[(CHANNELS_RECEIVE, u32::MAX), (CHANNELS_COMBINED, 6)], u32::MAX)]
    fn queues_are_counted(#[case] attributes: &[(u16, u32)], #[case] want: u32) {
        let values = attributes
            .iter()
            .map(|(kind, value)| (*kind, value.to_ne_bytes()));
        let values: Vec<_> = values.collect();
        let attributes: Vec<_> = values
            .iter()
            .map(|(kind, value)| (*kind, value.as_slice()))
            .collect();
        assert_eq!(read(&answer(&attributes), queues), want);
    }

    #[test]
    fn the_loopback_device_has_neither_rings_nor_queues_nor_a_spread() {
        let mut ethtool = Ethtool::open().unwrap();
        let lo = 1;
        let errno = |error: io::Error| error.raw_os_error();
        let nothing = Some(libc::EOPNOTSUPP);
        assert_eq!(ethtool.rings(lo).map_err(errno), Err(nothing));
        assert_eq!(ethtool.queues(lo).map_err(errno), Err(nothing));
        assert_eq!(ethtool.spread(lo, 0).map_err(errno), Err(nothing));
    }

    #[test]
    fn an_interface_that_is_not_there_is_no_device() {
        let error = Ethtool::open().unwrap().rings(0x7fff_0000).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
    }
}
