//! The rules by which a device steers packets to its queues, over `SIOCETHTOOL`: netlink does not have them.
//!
//! Source: `include/uapi/linux/ethtool.h`, `ethtool_get_rxnfc` in `net/ethtool/ioctl.c`.

use std::io;
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

/// A rule, as far as it says where packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Which packets: one of the kernel's kinds of flow, with flags.
    pub(crate) flow: u32,
    /// Where they go: the queue in the low half, unless flags of the flow say otherwise.
    pub(crate) action: u64,
    /// The context whose table adds to the queue, if the flow says so.
    pub(crate) context: u32,
}

/// `struct ethtool_rxnfc` and the numbers of rules behind it, as bytes.
struct Command {
    bytes: Vec<u8>,
    /// How many numbers it has room for.
    room: u32,
}

/// `struct ifreq` with a pointer in it.
#[repr(C)]
struct Interface {
    name: [u8; libc::IFNAMSIZ],
    data: *mut u8,
    rest: [u8; 16],
}

const COUNT_RULES: u32 = 0x2e;
const GET_RULE: u32 = 0x2f;
const LIST_RULES: u32 = 0x30;

// Offsets in `struct ethtool_rxnfc`, which is 192 bytes long.
const LEN: usize = 192;
const FLOW: usize = 16;
const ACTION: usize = 168;
const LOCATION: usize = 176;
const COUNT: usize = 184;
const NUMBERS: usize = 188;

/// More rules than any device has.
const MOST_RULES: u32 = 65_536;

/// All rules of an interface of the calling thread's network namespace.
pub(crate) fn rules(interface: &str) -> io::Result<Vec<Rule>> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let mut count = Command::new(COUNT_RULES, 0);
    count.run(&socket, interface)?;
    let count = count.word(COUNT).min(MOST_RULES);
    let mut list = Command::new(LIST_RULES, count);
    list.run(&socket, interface)?;
    let listed = list.word(COUNT).min(count);
    let mut rules = Vec::new();
    for nth in 0..usize::try_from(listed).unwrap_or(0) {
        let mut rule = Command::new(GET_RULE, 0);
        rule.set(LOCATION, list.word(NUMBERS + 4 * nth));
        match rule.run(&socket, interface) {
            Ok(()) => rules.push(rule.rule()),
            // It was deleted meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rules)
}

impl Command {
    fn new(command: u32, room: u32) -> Self {
        let numbers = usize::try_from(room).unwrap_or(0) * 4;
        let mut new = Self {
            bytes: vec![0; LEN.max(NUMBERS + numbers)],
            room,
        };
        new.set(0, command);
        new.set(COUNT, room);
        new
    }

    fn run(&mut self, socket: &Socket, interface: &str) -> io::Result<()> {
        let mut name = [0; libc::IFNAMSIZ];
        // The last byte stays zero.
        let room = name.len() - 1;
        if interface.len() > room {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        }
        for (to, from) in name.iter_mut().zip(interface.bytes()) {
            *to = from;
        }
        let mut request = Interface {
            name,
            data: self.bytes.as_mut_ptr(),
            rest: [0; 16],
        };
        debug_assert!(self.word(COUNT) <= self.room);
        // SAFETY: the kernel reads and writes `struct ethtool_rxnfc`, and behind it at most as many numbers as its count
        // says when it is read, which is what `new` has made room for. Both structs are borrowed for the call.
        let result =
            unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn rule(&self) -> Rule {
        let action = self.bytes.get(ACTION..).and_then(|rest| rest.first_chunk());
        Rule {
            flow: self.word(FLOW),
            action: action.copied().map_or(u64::MAX, u64::from_ne_bytes),
            context: self.word(COUNT),
        }
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().map_or(0, u32::from_ne_bytes)
    }

    fn set(&mut self, at: usize, value: u32) {
        let bytes = self.bytes.get_mut(at..);
        if let Some(place) = bytes.and_then(|rest| rest.first_chunk_mut()) {
            *place = value.to_ne_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn the_request_is_as_long_as_the_kernels() {
        // `struct ifreq` on 64-bit Linux.
        #[cfg(target_pointer_width = "64")]
        assert_eq!(size_of::<Interface>(), 40);
        assert_eq!(std::mem::offset_of!(Interface, data), 16);
    }

    #[test]
    fn a_rule_is_read_from_its_bytes() {
        let mut command = Command::new(GET_RULE, 0);
        command.set(FLOW, 1);
        command.set(ACTION, 7);
        command.set(COUNT, 3);
        let rule = Rule {
            flow: 1,
            action: 7,
            context: 3,
        };
        assert_eq!(command.rule(), rule);
    }

    #[rstest]
    #[case::loopback("lo", libc::EOPNOTSUPP)]
    #[case::nowhere("none-such", libc::ENODEV)]
    #[case::longer_than_a_name("sixteen-letters-", libc::ENODEV)]
    fn an_interface_without_rules_says_so(#[case] interface: &str, #[case] errno: i32) {
        let error = rules(interface).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(errno));
    }
}
