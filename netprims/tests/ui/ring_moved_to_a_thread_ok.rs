use netprims::ring::{RingBuilder, TxBuf, TxPool};

fn twin(ring: RingBuilder, pool: TxPool, buf: TxBuf) {
    std::thread::spawn(move || drop((ring.build(), pool, buf)));
}

fn main() {
    let _ = twin;
}
