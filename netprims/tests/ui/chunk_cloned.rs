use netprims::ring::RxBuf;

fn misuse(kept: RxBuf) -> (RxBuf, RxBuf) {
    let other = RxBuf::clone(&kept);
    (kept, other)
}

fn main() {
    let _ = misuse;
}
