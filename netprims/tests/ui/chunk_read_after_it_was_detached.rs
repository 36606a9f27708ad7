use netprims::ring::Chunk;

fn misuse(chunk: Chunk<'_>) -> (usize, usize) {
    let kept = chunk.detach();
    (kept.len(), chunk.len())
}

fn main() {
    let _ = misuse;
}
