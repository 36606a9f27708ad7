//! What a completion queue is to be like.

use super::{CompChannel, Cq};
use crate::context::Context;
use crate::device::verb_error;
use crate::error::{Error, Result};
use crate::sys::{CqFields, CreateCqError, Poller};

/// What a completion queue is to be like.
///
/// ```no_run
/// # use netprims_rdma::{Context, CqAttr, Error};
/// # fn f(context: &Context) -> Result<(), Error> {
/// let mut cq = context.create_cq_with(&CqAttr::new(64).timestamps())?;
/// for completion in cq.poll()? {
///     println!("{:?}", completion.timestamp());
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "ibv_cq_init_attr_ex")]
#[derive(Clone, Debug)]
#[must_use]
pub struct CqAttr {
    capacity: u32,
    channel: Option<CompChannel>,
    extended: Option<CqFields>,
}

impl CqAttr {
    /// With room for `capacity` completions.
    pub const fn new(capacity: u32) -> Self {
        CqAttr {
            capacity,
            channel: None,
            extended: None,
        }
    }

    /// It can be waited for by `channel`, which several may share. Default: not at all.
    #[doc(alias = "ibv_create_comp_channel")]
    pub fn events(mut self, channel: &CompChannel) -> Self {
        self.channel = Some(channel.clone());
        self
    }

    /// It is polled by the functions of `ibv_cq_ex`, as one with timestamps is. Completions are the
    /// same; where the provider has no such functions, creating it fails. Default: it is not.
    #[doc(alias = "ibv_cq_ex")]
    #[doc(alias = "ibv_start_poll")]
    pub fn extended(mut self) -> Self {
        self.extended.get_or_insert_default();
        self
    }

    /// Each completion says [when](crate::Completion::timestamp) the work was over, in ticks of the
    /// device's [clock](Context::clock). Default: none does. Soft-RoCE has no clock.
    #[doc(alias = "IBV_WC_EX_WITH_COMPLETION_TIMESTAMP")]
    pub fn timestamps(mut self) -> Self {
        self.extended.get_or_insert_default().timestamp = true;
        self
    }

    /// Each completion says by the [wall clock](crate::Completion::wallclock) when the work was over.
    /// Default: none does. Soft-RoCE has no clock.
    #[doc(alias = "IBV_WC_EX_WITH_COMPLETION_TIMESTAMP_WALLCLOCK")]
    pub fn wallclock(mut self) -> Self {
        self.extended.get_or_insert_default().wallclock = true;
        self
    }
}

impl Context {
    /// As [`create_cq`](Self::create_cq), for one as `attr` says.
    ///
    /// # Errors
    ///
    /// As [`create_cq`](Self::create_cq), and:
    ///
    /// - [`Error::OtherChannel`].
    /// - [`Error::Unsupported`]: the device or its provider has no timestamps, or no extended
    ///   completion queues.
    #[doc(alias = "ibv_create_cq_ex")]
    pub fn create_cq_with(&self, attr: &CqAttr) -> Result<Cq> {
        let CqAttr {
            capacity,
            channel,
            extended,
        } = attr;
        if channel
            .as_ref()
            .is_some_and(|channel| !channel.is_of(self.handle()))
        {
            return Err(Error::OtherChannel);
        }
        let channel = channel.as_ref().map(CompChannel::handle);
        let made = Poller::create(self.handle(), *capacity, channel, *extended);
        made.map(Cq::new).map_err(|error| match error {
            CreateCqError::Lacks(feature, lacking) => Error::Unsupported {
                feature,
                device: String::from(self.device_name()),
                lacking,
            },
            CreateCqError::Errno(errno) => {
                let operation = match extended {
                    None => "ibv_create_cq",
                    Some(_) => "ibv_create_cq_ex",
                };
                let object = format!("of {} for {capacity} completions", self.device_name());
                verb_error(operation, object, errno)
            }
        })
    }
}
