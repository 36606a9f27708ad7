//! Posts and polls by sideway's extended interface, its faster one.
//!
//! usage: verbs_sideway send|write|recv|selective|batch COUNT

use std::env;
use std::error::Error;
use std::sync::Arc;

use sideway::ibverbs::AccessFlags;
use sideway::ibverbs::completion::{
    ExtendedCompletionQueue, GenericCompletionQueue, PollCompletionQueueError, WorkCompletionStatus,
};
use sideway::ibverbs::device::DeviceList;
use sideway::ibverbs::memory_region::MemoryRegion;
use sideway::ibverbs::queue_pair::{
    ExtendedQueuePair, PostSendGuard, QueuePair, QueuePairAttribute, QueuePairState,
    SendOperationFlags, SetScatterGatherEntry, WorkRequestFlags,
};

const BATCH: u64 = 16;
const BYTES: u32 = 64;
const USAGE: &str = "usage: verbs_sideway send|write|recv|selective|batch COUNT";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [variant, count] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let count: u64 = count.parse()?;
    let mut rig = Rig::new()?;
    match variant.as_str() {
        "send" => (0..count).try_for_each(|_| {
            rig.post(false, WorkRequestFlags::Signaled)?;
            rig.poll(1)
        }),
        "write" => (0..count).try_for_each(|_| {
            rig.post(true, WorkRequestFlags::Signaled)?;
            rig.poll(1)
        }),
        "recv" => (0..count).try_for_each(|_| {
            rig.receive()?;
            rig.poll(1)
        }),
        "selective" => (0..count / BATCH).try_for_each(|_| {
            for nth in 1..=BATCH {
                let signalled = nth == BATCH;
                rig.post(
                    false,
                    if signalled {
                        WorkRequestFlags::Signaled
                    } else {
                        WorkRequestFlags::none()
                    },
                )?;
            }
            rig.poll(1)
        }),
        "batch" => (0..count / BATCH).try_for_each(|_| {
            rig.post_batch()?;
            rig.poll(BATCH)
        }),
        _ => Err(USAGE.into()),
    }
}

/// A queue pair that can send, and its memory.
struct Rig {
    qp: ExtendedQueuePair,
    cq: Arc<ExtendedCompletionQueue>,
    region: Arc<MemoryRegion>,
    memory: Vec<u8>,
}

impl Rig {
    fn new() -> Result<Self> {
        let devices = DeviceList::new()?;
        let context = devices.get(0).ok_or("no device")?.open()?;
        let pd = context.alloc_pd()?;
        let memory = vec![0_u8; 1024];
        // SAFETY: the memory stays where it is, and is there for longer than the region is used.
        let region = unsafe {
            pd.reg_mr(
                memory.as_ptr() as usize,
                memory.len(),
                AccessFlags::LocalWrite,
            )?
        };
        let cq = context.create_cq_builder().setup_cqe(128).build_ex()?;
        let mut qp = pd
            .create_qp_builder()
            .setup_send_cq(GenericCompletionQueue::from(Arc::clone(&cq)))
            .setup_recv_cq(GenericCompletionQueue::from(Arc::clone(&cq)))
            .setup_send_ops_flags(SendOperationFlags::Send | SendOperationFlags::Write)
            .build_ex()?;
        for state in [
            QueuePairState::Init,
            QueuePairState::ReadyToReceive,
            QueuePairState::ReadyToSend,
        ] {
            let mut attribute = QueuePairAttribute::new();
            attribute.setup_state(state);
            set_up(&mut attribute, state);
            qp.modify(&attribute)?;
        }
        Ok(Rig {
            qp,
            cq,
            region,
            memory,
        })
    }

    fn post(&mut self, is_write: bool, flags: WorkRequestFlags) -> Result<()> {
        let (lkey, address) = (self.region.lkey(), self.memory.as_ptr() as u64);
        let mut guard = self.qp.start_post_send();
        let request = guard.construct_wr(1, flags);
        let request = if is_write {
            request.setup_write(2, 4096)
        } else {
            request.setup_send()
        };
        // SAFETY: the memory is registered, and nobody looks at it.
        unsafe { request.setup_sge(lkey, address, BYTES) };
        Ok(guard.post()?)
    }

    fn post_batch(&mut self) -> Result<()> {
        let (lkey, address) = (self.region.lkey(), self.memory.as_ptr() as u64);
        let mut guard = self.qp.start_post_send();
        for nth in 0..BATCH {
            let request = guard
                .construct_wr(nth, WorkRequestFlags::Signaled)
                .setup_send();
            // SAFETY: as above.
            unsafe { request.setup_sge(lkey, address + nth * u64::from(BYTES), BYTES) };
        }
        Ok(guard.post()?)
    }

    fn receive(&mut self) -> Result<()> {
        let (lkey, address) = (self.region.lkey(), self.memory.as_ptr() as u64);
        let mut guard = self.qp.start_post_recv();
        let request = guard.construct_wr(1);
        // SAFETY: as above.
        unsafe { request.setup_sge(lkey, address, BYTES) };
        Ok(guard.post()?)
    }

    fn poll(&mut self, mut count: u64) -> Result<()> {
        while count > 0 {
            match self.cq.start_poll() {
                Ok(completions) => {
                    for completion in completions {
                        if completion.status() != WorkCompletionStatus::Success as u32 {
                            return Err("a request failed".into());
                        }
                        count -= 1;
                    }
                }
                Err(PollCompletionQueueError::CompletionQueueEmpty) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// What sideway asks to be there for a step.
fn set_up(attribute: &mut QueuePairAttribute, state: QueuePairState) {
    use sideway::ibverbs::address::AddressHandleAttribute;
    use sideway::ibverbs::device_context::Mtu;
    match state {
        QueuePairState::Init => {
            attribute
                .setup_pkey_index(0)
                .setup_port(1)
                .setup_access_flags(AccessFlags::LocalWrite);
        }
        QueuePairState::ReadyToReceive => {
            attribute
                .setup_path_mtu(Mtu::Mtu1024)
                .setup_dest_qp_num(17)
                .setup_rq_psn(1);
            attribute
                .setup_max_dest_read_atomic(0)
                .setup_min_rnr_timer(0);
            attribute.setup_address_vector(
                AddressHandleAttribute::new()
                    .setup_dest_lid(1)
                    .setup_port(1),
            );
        }
        _ => {
            attribute
                .setup_sq_psn(1)
                .setup_timeout(12)
                .setup_retry_cnt(7);
            attribute.setup_rnr_retry(7).setup_max_read_atomic(0);
        }
    }
}
