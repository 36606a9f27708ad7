use netprims::ring::Chunk;

fn twin(chunk: &mut Chunk<'_>) -> u8 {
    let mut copy = chunk.to_vec();
    copy[0] = 1;
    copy[0]
}

fn main() {
    let _ = twin;
}
