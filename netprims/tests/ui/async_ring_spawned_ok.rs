//! A task of a `LocalSet` stays on its thread.

use netprims::ring::{AsyncRing, Ring};

async fn drive() {
    let ring = Ring::builder().build().unwrap();
    let mut ring = AsyncRing::new(ring).unwrap();
    ring.poll(|_| ()).await.unwrap();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async { tokio::task::spawn_local(drive()).await }).unwrap();
}
