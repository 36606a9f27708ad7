use netprims::ring::Chunk;

fn misuse(chunk: &mut Chunk<'_>) {
    chunk[0] = 1;
}

fn main() {
    let _ = misuse;
}
