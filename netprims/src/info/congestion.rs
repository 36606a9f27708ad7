use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;

use super::given::Given;
use super::refused;
use crate::Result;
use crate::sys::sockopt;

/// More than three times what kernels have.
const ROOM: usize = 64;
/// How often a name that changes meanwhile is asked for again.
const TRIES: usize = 8;

/// What a congestion control algorithm has found out about a connection.
///
/// ```
/// use netprims::info::CongestionInfo;
/// use netprims::socket::TcpBuilder;
///
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let server = listener.local_addr()?;
/// let (stream, _) = TcpBuilder::new().connect(server)?;
/// match CongestionInfo::of(&stream)? {
///     CongestionInfo::Bbr(bbr) => println!("{} bytes a second", bbr.bandwidth),
///     other => println!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "tcp_cc_info")]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CongestionInfo {
    /// The algorithm tells nothing: reno and cubic, among others.
    Nothing,
    /// `bbr`.
    Bbr(BbrInfo),
    /// `vegas`, and those that tell the same: `illinois`, `nv`, `westwood`, `yeah`.
    Vegas(VegasInfo),
    /// `dctcp`.
    Dctcp(DctcpInfo),
    /// Something else, as the kernel wrote it: at most 64 bytes. Also of an algorithm that is known, if somebody sets one
    /// after the other, faster than they can be asked.
    Unknown(Vec<u8>),
}

impl CongestionInfo {
    /// Asks the kernel, which since 4.1 knows. Of a Multipath TCP socket it tells the first subflow.
    ///
    /// What the kernel tells does not say of which algorithm it is: that is asked before and after. An algorithm that
    /// somebody sets and takes back in between is not noticed, and its numbers are taken for the other's.
    ///
    /// # Errors
    ///
    /// [`Error::System`](crate::Error::System) saying so: `ENOTSOCK` if it is no socket, `ENOPROTOOPT` or `EOPNOTSUPP` if
    /// it is not TCP.
    ///
    /// Source: `include/uapi/linux/inet_diag.h`.
    #[doc(alias = "TCP_CC_INFO")]
    pub fn of(socket: &impl AsFd) -> Result<Self> {
        let wants = "it is not TCP";
        let name = || {
            SockRef::from(socket)
                .tcp_congestion()
                .map_err(|error| refused("getsockopt TCP_CONGESTION of", socket, error, wants))
        };
        let info = || {
            Given::<ROOM>::read(|room| sockopt::congestion_info(socket, room))
                .map_err(|error| refused("getsockopt TCP_CC_INFO of", socket, error, wants))
        };
        Self::settled(name, info)
    }

    /// What the bytes mean, the algorithm's name says. Another may be set in between.
    fn settled(
        mut name: impl FnMut() -> Result<Vec<u8>>,
        mut info: impl FnMut() -> Result<Given<ROOM>>,
    ) -> Result<Self> {
        let mut before = name()?;
        let mut given = info()?;
        for _ in 0..TRIES {
            let after = name()?;
            if before == after {
                return Ok(Self::parse(text(&after), &given));
            }
            before = after;
            given = info()?;
        }
        Ok(Self::Unknown(given.bytes().to_vec()))
    }

    fn parse(algorithm: &[u8], given: &Given<ROOM>) -> Self {
        let len = given.bytes().len();
        match algorithm {
            _ if len == 0 => Self::Nothing,
            b"bbr" if len >= 20 => Self::Bbr(BbrInfo {
                bandwidth: u64::from(given.u32(4)) << 32 | u64::from(given.u32(0)),
                min_rtt: given.micros_unless(8, u32::MAX),
                pacing_gain: f64::from(given.u32(12)) / 256.0,
                window_gain: f64::from(given.u32(16)) / 256.0,
            }),
            b"vegas" | b"yeah" if len >= 16 => {
                Self::Vegas(VegasInfo::of(given, sampled(given, 12), sampled(given, 8)))
            }
            b"illinois" | b"nv" | b"westwood" if len >= 16 => {
                Self::Vegas(VegasInfo::of(given, sampled(given, 8), sampled(given, 12)))
            }
            b"dctcp" | b"dctcp-reno" if len >= 16 => Self::Dctcp(DctcpInfo {
                enabled: given.newer_u16(0).is_some_and(|enabled| enabled != 0),
                marked: given.newer_u16(2).is_some_and(|state| state != 0),
                alpha: f64::from(given.u32(4)) / 1024.0,
                bytes_marked: given.u32(8),
                bytes_acked: given.u32(12),
            }),
            _ => Self::Unknown(given.bytes().to_vec()),
        }
    }
}

/// What BBR tells.
#[doc(alias = "tcp_bbr_info")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct BbrInfo {
    /// The bandwidth the path has, in bytes a second.
    pub bandwidth: u64,
    /// The shortest round-trip time of the last seconds; `None` before the first sample.
    pub min_rtt: Option<Duration>,
    /// How much faster or slower than the bandwidth it sends.
    pub pacing_gain: f64,
    /// How large the window is, in products of bandwidth and round-trip time.
    #[doc(alias = "cwnd_gain")]
    pub window_gain: f64,
}

/// What Vegas and its relatives tell.
#[doc(alias = "tcpvegas_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VegasInfo {
    /// Whether the algorithm is in control. If not, Reno is.
    pub enabled: bool,
    /// Round-trip times measured within the last round trip. Westwood does not count them.
    pub samples: u32,
    /// The round-trip time, as the algorithm takes it: the lowest of the last round trip (`vegas`, `yeah`), its mean
    /// (`illinois`), smoothed (`nv`), or the last one (`westwood`). `None` before the first sample, and at the start of a
    /// round trip.
    pub rtt: Option<Duration>,
    /// The lowest round-trip time: of the connection (`illinois`), since it last began to send after a pause (`vegas`,
    /// `yeah`), or of late (`nv`, `westwood`). `None` before the first sample; westwood begins with a guess of 20 seconds.
    pub min_rtt: Option<Duration>,
}

impl VegasInfo {
    fn of(given: &Given<ROOM>, rtt: Option<Duration>, min_rtt: Option<Duration>) -> Self {
        Self {
            enabled: given.u32(0) != 0,
            samples: given.u32(4),
            rtt,
            min_rtt,
        }
    }
}

/// A round-trip time, or one of the numbers that the algorithms begin with.
fn sampled(given: &Given<ROOM>, at: usize) -> Option<Duration> {
    let micros = given.newer_u32(at)?;
    let none = matches!(micros, 0 | 0x7fff_ffff | u32::MAX);
    (!none).then(|| Duration::from_micros(micros.into()))
}

/// What DCTCP tells.
#[doc(alias = "tcp_dctcp_info")]
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct DctcpInfo {
    /// Whether the algorithm is in control. If not, because the peer does not speak ECN, Reno is.
    pub enabled: bool,
    /// Whether the last packet that came was marked for congestion.
    pub marked: bool,
    /// How much of what is sent the network marks: 0 to 1, smoothed.
    pub alpha: f64,
    /// Bytes acknowledged in this round trip that were marked.
    pub bytes_marked: u32,
    /// Bytes acknowledged in this round trip.
    pub bytes_acked: u32,
}

/// Up to the first NUL.
fn text(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn numbers(numbers: &[u32]) -> Given<ROOM> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        Given::copy(&bytes)
    }

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn bbr_tells_bandwidth_and_gains() {
        let info = CongestionInfo::parse(b"bbr", &numbers(&[1, 2, 3000, 739, 512]));
        let want = BbrInfo {
            bandwidth: (2 << 32) + 1,
            min_rtt: Some(micros(3000)),
            pacing_gain: 2.88671875,
            window_gain: 2.0,
        };
        assert_eq!(info, CongestionInfo::Bbr(want));
        let before = CongestionInfo::parse(b"bbr", &numbers(&[0, 0, u32::MAX, 0, 0]));
        assert!(matches!(before, CongestionInfo::Bbr(bbr) if bbr.min_rtt.is_none()));
    }

    // `tcpv_rtt` of `tcp_vegas_get_info` is the lowest ever, of the others the one of now.
    #[rstest]
    #[case(b"vegas", [500, 700], Some(700), Some(500))]
    #[case(b"yeah", [500, 700], Some(700), Some(500))]
    #[case(b"vegas", [500, 0x7fff_ffff], None, Some(500))]
    #[case(b"yeah", [0x7fff_ffff, 0x7fff_ffff], None, None)]
    #[case(b"illinois", [700, 500], Some(700), Some(500))]
    #[case(b"illinois", [0, 0x7fff_ffff], None, None)]
    #[case(b"nv", [700, 500], Some(700), Some(500))]
    #[case(b"nv", [0, u32::MAX], None, None)]
    #[case(b"westwood", [700, 500], Some(700), Some(500))]
    fn vegas_tells_round_trips(
        #[case] name: &[u8],
        #[case] told: [u32; 2],
        #[case] rtt: Option<u64>,
        #[case] min_rtt: Option<u64>,
    ) {
        let info = CongestionInfo::parse(name, &numbers(&[1, 4, told[0], told[1]]));
        let want = VegasInfo {
            enabled: true,
            samples: 4,
            rtt: rtt.map(micros),
            min_rtt: min_rtt.map(micros),
        };
        assert_eq!(info, CongestionInfo::Vegas(want));
    }

    #[rstest]
    #[case::never(0, true)]
    #[case::once(1, true)]
    #[case::as_often_as_it_is_asked_again(TRIES - 1, true)]
    #[case::more_often(TRIES, false)]
    #[case::without_end(usize::MAX, false)]
    fn an_algorithm_that_changes_is_asked_again_but_not_for_ever(
        #[case] changes: usize,
        #[case] settles: bool,
    ) {
        let mut asked = 0;
        let name = || {
            asked += 1;
            let names = [&b"one"[..], b"other"];
            Ok(if asked > changes {
                b"bbr"
            } else {
                names[asked % 2]
            }
            .to_vec())
        };
        let info = || Ok(numbers(&[1, 2, 3, 4, 5]));
        let info = CongestionInfo::settled(name, info).unwrap();
        assert_eq!(matches!(info, CongestionInfo::Bbr(_)), settles, "{info:?}");
        assert_eq!(matches!(info, CongestionInfo::Unknown(_)), !settles);
        assert!(asked <= TRIES + 1, "asked {asked} times");
    }

    #[test]
    fn dctcp_tells_marks() {
        let [low, high] = [1_u16.to_ne_bytes(), 0_u16.to_ne_bytes()];
        let first = u32::from_ne_bytes([low[0], low[1], high[0], high[1]]);
        let info = CongestionInfo::parse(b"dctcp", &numbers(&[first, 256, 7, 8]));
        let want = DctcpInfo {
            enabled: true,
            marked: false,
            alpha: 0.25,
            bytes_marked: 7,
            bytes_acked: 8,
        };
        assert_eq!(info, CongestionInfo::Dctcp(want));
    }

    #[rstest]
    #[case::tells_nothing(b"cubic", 0, true)]
    #[case::tells_nothing_yet(b"bbr", 0, true)]
    #[case::too_short(b"bbr", 4, false)]
    #[case::not_known(b"mine", 5, false)]
    fn what_is_not_known_is_handed_on(
        #[case] name: &[u8],
        #[case] len: usize,
        #[case] nothing: bool,
    ) {
        let given = numbers(&[1, 2, 3, 4, 5][..len]);
        let want = match nothing {
            true => CongestionInfo::Nothing,
            false => CongestionInfo::Unknown(given.bytes().to_vec()),
        };
        assert_eq!(CongestionInfo::parse(name, &given), want);
    }

    #[test]
    fn a_name_ends_at_its_nul() {
        assert_eq!(text(b"bbr\0\0\0"), b"bbr");
        assert_eq!(text(b"bbr"), b"bbr");
        assert_eq!(text(b""), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            for name in [&b"bbr"[..], b"vegas", b"dctcp", b"", b"x"] {
                CongestionInfo::parse(name, &Given::copy(&bytes));
            }
        }
    }
}
