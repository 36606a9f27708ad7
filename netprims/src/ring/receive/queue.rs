use nix::net::if_::if_nametoindex;

use super::{Rung, RxPlan, RxReport, Wanted, WhyNot};
use crate::ring::{NoZeroCopyRx, Ring, ZeroCopyRx};
use crate::sys::memory::Shape;
use crate::sys::uring::{GroupHandle, NoQueue, QueueSource, Unfit};
use crate::sysctl::Sysctl;

impl Ring {
    /// Puts a pool on the highest rung, or says in the report why not.
    pub(super) fn add_queue(
        &mut self,
        plan: &RxPlan,
        shape: Shape,
        handle: &mut GroupHandle,
        report: &mut RxReport,
    ) {
        let asked = plan.zero_copy.as_ref();
        let why = match asked.filter(|_| plan.at_most >= Rung::ZeroCopy) {
            None if asked.is_some() => WhyNot::Excluded { by: "at_most" },
            None => WhyNot::NotAsked,
            Some(asked) => match self.register_queue(asked, shape, handle) {
                Err(why) => WhyNot::ZeroCopy(why),
                Ok(()) => return report.rise_to_zero_copy(),
            },
        };
        report.decline_first(Wanted::ZeroCopy, why);
    }

    fn register_queue(
        &mut self,
        asked: &ZeroCopyRx,
        shape: Shape,
        handle: &mut GroupHandle,
    ) -> Result<(), NoZeroCopyRx> {
        let source = match asked {
            ZeroCopyRx::NoDevice => QueueSource::NoDevice,
            ZeroCopyRx::Device { interface, queue } => QueueSource::Device {
                interface: if_nametoindex(interface.as_str())
                    .map_err(|_| NoZeroCopyRx::NoDevice)?,
                queue: *queue,
            },
        };
        let added = self.core.engine.add_queue(handle, source, shape);
        added.map_err(|refusal| match refusal {
            NoQueue::Unfit(Unfit::Narrow) => NoZeroCopyRx::NotBuiltFor,
            NoQueue::Unfit(Unfit::NotDeferred) => NoZeroCopyRx::NotDeferred,
            NoQueue::Refused(refused) => {
                let release = Sysctl::new("kernel.osrelease").read().ok().flatten();
                NoZeroCopyRx::of(&refused, release.as_deref())
            }
        })
    }
}
