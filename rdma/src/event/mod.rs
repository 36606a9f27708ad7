//! What happens to a device besides the work on it.

mod kind;

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::cq::{CqNumber, wait_until};
use crate::error::{Error, Result};
use crate::port::PortNum;
use crate::qp::Qpn;
use crate::srq::Srq;
use crate::sys::{About, AsyncEvent, AsyncEvents, Errno, QpIdentity, SrqNumber};

pub use kind::EventKind;

/// Where an open device tells of its events: links that come and go, addresses that change, queue pairs
/// that fail.
///
/// Its descriptor ([`AsFd`]) becomes readable with an event; it never blocks. Each event is told once:
/// of several values for one open device, clones included, one gets it. An event of an object is told
/// only while the object exists.
///
/// Events are acknowledged as they are fetched, so that none keeps its object from being destroyed. So the descriptor is for
/// waiting only: an event that is read from it past this type is never acknowledged, and the end of its object waits for ever.
#[doc(alias = "ibv_async_event")]
#[derive(Clone, Debug)]
pub struct DeviceEvents {
    handle: AsyncEvents,
}

impl Context {
    /// The events of this open device, from now or, if nobody has fetched them, from when it was opened.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]: the descriptor cannot be made one that does not block.
    pub fn events(&self) -> Result<DeviceEvents> {
        AsyncEvents::of(self.handle())
            .map(|handle| DeviceEvents { handle })
            .map_err(|errno| failed("fcntl", self.device_name(), errno))
    }
}

impl DeviceEvents {
    /// The next event; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EIO: the device was removed.
    #[doc(alias = "ibv_get_async_event")]
    #[doc(alias = "ibv_ack_async_event")]
    pub fn next_event(&self) -> Result<Option<DeviceEvent>> {
        let event = self.handle.next().map_err(|errno| {
            let device = self.handle.context().device();
            failed("ibv_get_async_event", device, errno)
        })?;
        Ok(event.map(DeviceEvent::new))
    }

    /// As [`next_event`](Self::next_event), but waits for one, for at most `limit`.
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    pub fn wait(&self, limit: Duration) -> Result<Option<DeviceEvent>> {
        let deadline = Instant::now().checked_add(limit);
        loop {
            if let Some(event) = self.next_event()? {
                return Ok(Some(event));
            }
            if !wait_until(self.as_fd(), deadline)? {
                return Ok(None);
            }
        }
    }
}

impl AsFd for DeviceEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

fn failed(operation: &'static str, device: &str, errno: Errno) -> Error {
    let hint = match errno.number() {
        libc::EIO | libc::ENODEV => " (the device was removed; open it anew when it is back)",
        _ => "",
    };
    Error::Verb {
        operation,
        object: format!("of {device}"),
        source: errno.into_io(),
        hint: String::from(hint),
    }
}

/// Something that happened to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceEvent {
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub subject: EventSubject,
}

impl DeviceEvent {
    fn new(raw: AsyncEvent) -> Self {
        let subject = match raw.about {
            About::Device => EventSubject::Device,
            About::Port(number) => u8::try_from(number)
                .ok()
                .and_then(|number| PortNum::new(number).ok())
                .map_or(EventSubject::Device, EventSubject::Port),
            About::Cq(number) => EventSubject::Cq(number),
            About::Qp(identity) => EventSubject::Qp(identity),
            About::Srq(number) => EventSubject::Srq(number),
            About::Unknown => EventSubject::Unknown,
        };
        DeviceEvent {
            kind: EventKind::from_raw(raw.kind),
            subject,
        }
    }
}

impl fmt::Display for DeviceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject {
            EventSubject::Device | EventSubject::Unknown => self.kind.fmt(f),
            EventSubject::Port(port) => write!(f, "port {port}: {}", self.kind),
            EventSubject::Cq(_) => write!(f, "completion queue: {}", self.kind),
            EventSubject::Qp(qp) => write!(f, "QP {}: {}", qp.qpn(), self.kind),
            EventSubject::Srq(_) => write!(f, "shared receive queue: {}", self.kind),
        }
    }
}

/// What an event is about. Objects are named by what is never another's, also when they are gone by the
/// time the event is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventSubject {
    /// The device as a whole.
    Device,
    /// One of its ports.
    Port(PortNum),
    /// The completion queue that has this [number](crate::Cq::number).
    Cq(CqNumber),
    /// The queue pair that has this [identity](crate::Qp::identity).
    Qp(QpIdentity),
    /// The shared receive queue that has this [number](Srq::number).
    Srq(SrqNumber),
    /// Something that this version of the crate does not know.
    Unknown,
}

impl QpIdentity {
    /// The number that it has on the wire; after its end another queue pair may have that.
    #[must_use]
    pub fn qpn(self) -> Qpn {
        Qpn::from_driver(self.wire_number())
    }
}

impl Srq {
    /// What [events](DeviceEvents) call it.
    #[must_use]
    pub fn number(&self) -> SrqNumber {
        self.handle().number()
    }

    /// Asks for one event, [`EventKind::SrqLimitReached`], when fewer than `limit` receives are left in
    /// the queue; 0 asks for none. Once told it has to be asked for again.
    ///
    /// # Errors
    ///
    /// [`Error::Verb`]; EINVAL: more than the queue is deep.
    #[doc(alias = "ibv_modify_srq")]
    #[doc(alias = "IBV_SRQ_LIMIT")]
    pub fn set_limit(&self, limit: u32) -> Result<()> {
        self.handle().set_limit(limit).map_err(|errno| Error::Verb {
            operation: "ibv_modify_srq",
            object: format!("to a limit of {limit}, of {}", self.depth()),
            source: errno.into_io(),
            hint: String::new(),
        })
    }
}
