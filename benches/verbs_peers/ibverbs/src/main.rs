//! Posts and polls by the crate ibverbs, which knows sends and receives, one at a time, each signalled.
//!
//! usage: verbs_ibverbs send|recv COUNT

use std::env;
use std::error::Error;

use ibverbs::{ibv_qp_type, ibv_wc};

const BYTES: usize = 64;
const USAGE: &str = "usage: verbs_ibverbs send|recv COUNT";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [variant, count] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let count: u64 = count.parse()?;
    let context = ibverbs::devices()?
        .iter()
        .next()
        .ok_or("no device")?
        .open()?;
    let cq = context.create_cq(128, 0)?;
    let pd = context.alloc_pd()?;
    let mut region = pd.allocate::<u8>(BYTES)?;
    let prepared = pd
        .create_qp(&cq, &cq, ibv_qp_type::IBV_QPT_RC)
        .set_max_send_wr(64)
        .set_max_recv_wr(64)
        .build()?;
    let endpoint = prepared.endpoint();
    let mut qp = prepared.handshake(endpoint)?;
    let is_send = match variant.as_str() {
        "send" => true,
        "recv" => false,
        _ => return Err(USAGE.into()),
    };
    let mut completions = [ibv_wc::default(); 16];
    for _ in 0..count {
        // SAFETY: the region is there until the completion was polled, and nobody looks at it before.
        unsafe {
            if is_send {
                qp.post_send(&mut region, .., 1)?;
            } else {
                qp.post_receive(&mut region, .., 1)?;
            }
        }
        let mut left = 1;
        while left > 0 {
            for completion in cq.poll(&mut completions)?.iter() {
                if let Some((status, _)) = completion.error() {
                    return Err(format!("a request failed: {status}").into());
                }
                left -= 1;
            }
        }
    }
    Ok(())
}
