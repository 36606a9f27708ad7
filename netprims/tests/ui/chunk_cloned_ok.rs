use std::sync::Arc;

use netprims::ring::RxBuf;

fn twin(kept: RxBuf) -> (Arc<RxBuf>, Arc<RxBuf>) {
    let kept = Arc::new(kept);
    let other = Arc::clone(&kept);
    (kept, other)
}

fn main() {
    let _ = twin;
}
