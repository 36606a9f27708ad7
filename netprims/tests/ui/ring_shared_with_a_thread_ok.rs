use netprims::ring::TxPool;

fn twin(pool: &TxPool) {
    std::thread::scope(|scope| {
        scope.spawn(|| pool.slots());
    });
}

fn main() {
    let _ = twin;
}
