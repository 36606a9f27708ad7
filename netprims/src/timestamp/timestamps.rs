use std::ffi::c_int;
use std::time::{Duration, SystemTime};

use crate::sys::control::Message;

/// When something arrived, by the clocks that were asked to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    software: Option<SystemTime>,
    hardware: Option<Duration>,
    hardware_interface: Option<u32>,
    is_malformed: bool,
}

// `include/uapi/asm-generic/socket.h`. On 32-bit machines the newer three have 64-bit times; on 64-bit machines both have.
const SCM_TIMESTAMP: [c_int; 2] = [29, 63];
const SCM_TIMESTAMPNS: [c_int; 2] = [35, 64];
const SCM_TIMESTAMPING: [c_int; 2] = [37, 65];
const SCM_TIMESTAMPING_PKTINFO: c_int = 58;

impl Timestamps {
    /// When it entered the kernel, to the nanosecond (`SO_TIMESTAMPING` with `RX_SOFTWARE` and `SOFTWARE`, or
    /// `SO_TIMESTAMPNS`), or to the microsecond (`SO_TIMESTAMP`). The clock is the system's and may be set.
    #[doc(alias = "SCM_TIMESTAMPNS")]
    #[doc(alias = "SCM_TIMESTAMP")]
    pub fn software(&self) -> Option<SystemTime> {
        self.software
    }

    /// When the NIC got it, by the NIC's own clock and since that clock's zero, to the nanosecond (`RX_HARDWARE` and
    /// `RAW_HARDWARE`). Whether the clock is that of the world, and whether in UTC or TAI, is the matter of who sets it
    /// (ptp4l, phc2sys).
    #[doc(alias = "SCM_TIMESTAMPING")]
    pub fn hardware(&self) -> Option<Duration> {
        self.hardware
    }

    /// The index of the NIC whose clock that is (`OPT_PKTINFO`, Linux 4.13).
    #[doc(alias = "SCM_TIMESTAMPING_PKTINFO")]
    pub fn hardware_interface(&self) -> Option<u32> {
        self.hardware_interface
    }

    /// Whether the kernel wrote a time this crate cannot read, which is then left out.
    pub fn is_malformed(&self) -> bool {
        self.is_malformed
    }

    /// Takes what a control message says, if it is of a time.
    pub(crate) fn take(&mut self, message: Message<'_>) {
        if message.level != libc::SOL_SOCKET {
            return;
        }
        if SCM_TIMESTAMPING.contains(&message.kind) {
            // `struct scm_timestamping`: software, one that is no longer used, hardware. What was not made is zero.
            let times = three(message.payload);
            self.is_malformed |= times.is_none();
            let [software, _, hardware] = times.unwrap_or_default();
            if software.is_set() {
                self.set_software(software.system());
            }
            if hardware.is_set() {
                self.hardware = hardware.since_zero();
                self.is_malformed |= self.hardware.is_none();
            }
        } else if SCM_TIMESTAMPNS.contains(&message.kind) {
            self.set_software(Time::of(message.payload, 1).and_then(Time::system));
        } else if SCM_TIMESTAMP.contains(&message.kind) {
            // Both options at once: the finer one stays.
            if self.software.is_none() {
                self.set_software(Time::of(message.payload, 1000).and_then(Time::system));
            }
        } else if message.kind == SCM_TIMESTAMPING_PKTINFO {
            // `struct scm_ts_pktinfo`: interface, length of the packet, two that are reserved.
            let interface = message
                .exactly::<16>()
                .and_then(|info| info.first_chunk().copied());
            self.is_malformed |= interface.is_none();
            self.hardware_interface = interface
                .map(u32::from_ne_bytes)
                .filter(|index| *index != 0);
        }
    }

    fn set_software(&mut self, time: Option<SystemTime>) {
        self.is_malformed |= time.is_none();
        self.software = time.or(self.software);
    }
}

/// A `struct timespec`, or a `struct timeval` with its microseconds made nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

impl Time {
    /// Of two numbers of 64 bits, or of 32 as older 32-bit systems have them.
    fn of(bytes: &[u8], nanoseconds_each: i64) -> Option<Self> {
        let (seconds, fraction) = bytes.split_at_checked(bytes.len() / 2)?;
        Some(Self {
            seconds: signed(seconds)?,
            nanoseconds: signed(fraction)?.checked_mul(nanoseconds_each)?,
        })
    }

    /// As the kernel means it: a time of all zeroes was not made.
    fn is_set(self) -> bool {
        self != Self::default()
    }

    fn system(self) -> Option<SystemTime> {
        let fraction = self.fraction()?;
        let seconds = Duration::from_secs(self.seconds.unsigned_abs());
        let start = if self.seconds < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(seconds)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(seconds)
        };
        start?.checked_add(fraction)
    }

    fn since_zero(self) -> Option<Duration> {
        let seconds = u64::try_from(self.seconds).ok()?;
        Duration::from_secs(seconds).checked_add(self.fraction()?)
    }

    fn fraction(self) -> Option<Duration> {
        let nanoseconds = u32::try_from(self.nanoseconds).ok()?;
        (nanoseconds < 1_000_000_000).then(|| Duration::from_nanos(nanoseconds.into()))
    }
}

fn three(bytes: &[u8]) -> Option<[Time; 3]> {
    if bytes.len() % 3 != 0 || bytes.is_empty() {
        return None;
    }
    let mut times = bytes
        .chunks_exact(bytes.len() / 3)
        .map(|time| Time::of(time, 1));
    Some([times.next()??, times.next()??, times.next()??])
}

fn signed(bytes: &[u8]) -> Option<i64> {
    if let Ok(bytes) = bytes.try_into() {
        return Some(i64::from_ne_bytes(bytes));
    }
    let bytes = bytes.try_into().ok()?;
    Some(i32::from_ne_bytes(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rstest::rstest;

    fn long(numbers: &[i64]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_ne_bytes())
            .collect()
    }

    fn short(numbers: &[i32]) -> Vec<u8> {
        numbers
            .iter()
            .flat_map(|number| number.to_ne_bytes())
            .collect()
    }

    fn taken(messages: &[(c_int, &[u8])]) -> Timestamps {
        let mut timestamps = Timestamps::default();
        for (kind, payload) in messages {
            timestamps.take(Message {
                level: libc::SOL_SOCKET,
                kind: *kind,
                payload,
            });
        }
        timestamps
    }

    fn at(nanoseconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds))
    }

    #[rstest]
    #[case::both(&long(&[3, 7, 0, 0, 5, 9]), at(3_000_000_007), Some(Duration::new(5, 9)))]
    #[case::software(&long(&[3, 999_999_999, 0, 0, 0, 0]), at(3_999_999_999), None)]
    #[case::hardware(&long(&[0, 0, 1, 1, 0, 1]), None, Some(Duration::new(0, 1)))]
    #[case::none(&long(&[0; 6]), None, None)]
    #[case::of_32_bits(&short(&[3, 7, 0, 0, 5, 9]), at(3_000_000_007), Some(Duration::new(5, 9)))]
    fn the_three_times_are_told_apart(
        #[case] payload: &[u8],
        #[case] software: Option<SystemTime>,
        #[case] hardware: Option<Duration>,
        #[values(37, 65)] kind: c_int,
    ) {
        let timestamps = taken(&[(kind, payload)]);
        assert_eq!(timestamps.software(), software);
        assert_eq!(timestamps.hardware(), hardware);
        assert!(!timestamps.is_malformed());
    }

    #[rstest]
    #[case::nanoseconds(&[(35, &long(&[3, 7]))], at(3_000_000_007))]
    #[case::microseconds(&[(29, &long(&[3, 7]))], at(3_000_007_000))]
    #[case::of_32_bits(&[(29, &short(&[3, 7]))], at(3_000_007_000))]
    #[case::before_the_epoch(&[(64, &long(&[-1, 999_999_999]))], SystemTime::UNIX_EPOCH.checked_sub(Duration::from_nanos(1)))]
    #[case::the_finer_after(&[(29, &long(&[3, 7])), (37, &long(&[3, 7777, 0, 0, 0, 0]))], at(3_000_007_777))]
    #[case::the_finer_before(&[(35, &long(&[3, 7777])), (63, &long(&[3, 7]))], at(3_000_007_777))]
    fn the_older_options_are_read_too(
        #[case] messages: &[(c_int, &Vec<u8>)],
        #[case] want: Option<SystemTime>,
    ) {
        let messages: Vec<_> = messages
            .iter()
            .map(|(kind, payload)| (*kind, &payload[..]))
            .collect();
        let timestamps = taken(&messages);
        assert_eq!(timestamps.software(), want);
        assert!(!timestamps.is_malformed());
    }

    #[rstest]
    #[case::fraction_of_a_second(37, &long(&[3, 1_000_000_000, 0, 0, 0, 0]))]
    #[case::negative_fraction(35, &long(&[3, -1]))]
    #[case::fraction_that_overflows(29, &long(&[3, i64::MAX]))]
    #[case::hardware_before_zero(37, &long(&[0, 0, 0, 0, -1, 0]))]
    #[case::cut(37, &long(&[3, 7, 0, 0, 5, 9])[..47])]
    #[case::empty(37, &[])]
    #[case::one_number(35, &[3, 0, 0, 0])]
    #[case::of_odd_size(35, &[3; 15])]
    #[case::no_interface(58, &[1, 0, 0])]
    fn a_time_that_is_none_is_left_out_and_said(#[case] kind: c_int, #[case] payload: &[u8]) {
        let timestamps = taken(&[(kind, payload)]);
        assert!(timestamps.is_malformed(), "{timestamps:?}");
        assert_eq!((timestamps.software(), timestamps.hardware()), (None, None));
    }

    #[test]
    fn the_interface_is_the_first_number() {
        let info = [&7_u32.to_ne_bytes()[..], &[1; 12]].concat();
        assert_eq!(taken(&[(58, &info)]).hardware_interface(), Some(7));
        assert_eq!(taken(&[(58, &[0; 16])]).hardware_interface(), None);
    }

    proptest! {
        #[test]
        fn any_payload_is_a_time_or_none(kind in prop_oneof![Just(29), Just(35), Just(37), Just(58), Just(63), Just(64), Just(65)], payload in vec(any::<u8>(), 0..80)) {
            taken(&[(kind, &payload)]);
        }

        #[test]
        fn no_nanosecond_is_lost(seconds in 0..1_i64 << 40, nanoseconds in 0..1_000_000_000_i64) {
            let timestamps = taken(&[(37, &long(&[seconds, nanoseconds, 0, 0, seconds, nanoseconds]))]);
            let want = Duration::new(seconds.unsigned_abs(), u32::try_from(nanoseconds).unwrap());
            if want.is_zero() {
                return Ok(());
            }
            prop_assert_eq!(timestamps.hardware(), Some(want));
            prop_assert_eq!(timestamps.software(), SystemTime::UNIX_EPOCH.checked_add(want));
        }
    }
}
