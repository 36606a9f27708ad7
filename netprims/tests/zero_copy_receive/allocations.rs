use std::io::Write;

use netprims::ring::{Event, RxBuf, Wait};

use super::{LIMIT, builder, plan, tcp};
use crate::sys::counting_allocator::allocations;

#[test]
fn receiving_allocates_nothing() {
    const PAGES: usize = 8;
    let (near, mut far) = tcp();
    let mut ring = builder().build().unwrap();
    let pool = ring.rx_pool(&plan(8)).unwrap();
    let socket = ring.add(near).unwrap();
    ring.receive(socket, &pool).unwrap();
    let mut kept: Vec<RxBuf> = Vec::with_capacity(2 * PAGES);
    let bytes = [7; 50_000];

    let before = allocations();
    let mut received = 0;
    for round in 0..200 {
        // In some rounds all pages are kept until the ring is starved.
        let most = if round % 3 == 0 { 2 * PAGES } else { 2 };
        far.write_all(&bytes).unwrap();
        let want = received + bytes.len();
        while received < want {
            let wait = if kept.len() < PAGES { LIMIT } else { Wait::No };
            let told = ring.poll(wait, |event| {
                if let Event::Received { chunk, .. } = event {
                    received += chunk.len();
                    if kept.len() < most {
                        kept.push(chunk.detach());
                    }
                }
            });
            if told.unwrap() == 0 {
                kept.clear();
            }
        }
        kept.clear();
    }
    assert_eq!(allocations() - before, 0);
    assert!(pool.stats().starved > 0, "{:?}", pool.stats());
}
