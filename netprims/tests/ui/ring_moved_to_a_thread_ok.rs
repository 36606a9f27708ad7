use netprims::ring::{RingBuilder, TxBuf, TxPool};

fn on_another_thread(work: impl FnOnce() + Send) {
    work();
}

fn twin(ring: RingBuilder, pool: TxPool, buf: TxBuf) {
    on_another_thread(move || drop((ring.build(), pool, buf)));
}

fn main() {
    let _ = twin;
}
