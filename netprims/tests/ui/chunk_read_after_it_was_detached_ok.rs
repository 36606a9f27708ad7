use netprims::ring::Chunk;

fn twin(chunk: Chunk<'_>) -> (usize, usize) {
    let len = chunk.len();
    let kept = chunk.detach();
    (kept.len(), len)
}

fn main() {
    let _ = twin;
}
