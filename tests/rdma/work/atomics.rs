//! Words of the peer's memory.

use super::*;

#[rstest]
#[case::hit(5, 5, 9)]
#[case::miss(5, 6, 5)]
fn compare_and_swap_gives_the_old_value(#[case] is: u64, #[case] compare: u64, #[case] then: u64) {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, manners()[1], reliable);
        b.exposed.words()[3].store(is, Ordering::SeqCst);
        let word = b.exposed.remote().word(24).unwrap();
        let mut old = a.memory.take().unwrap();
        old.set_len(8);
        a.qp.post(Wr::compare_swap(old, word, compare, 9), 1)
            .unwrap();
        let done = a.wait(1);
        well(&done, "compare and swap");
        assert_eq!(done[0].opcode, WcOpcode::CompareAndSwap);
        assert_eq!(done[0].message(), is.to_ne_bytes());
        assert_eq!(b.exposed.words()[3].load(Ordering::SeqCst), then);
    });
}

#[test]
fn fetch_and_add_counts() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b) = sides(&rxe, manners()[1], reliable);
        let word = b.exposed.remote().word(8).unwrap();
        for round in 0..20_u64 {
            let mut old = a.memory.take().unwrap();
            old.set_len(8);
            a.qp.post(Wr::fetch_add(old, word, 3), 1).unwrap();
            let done = a.wait(1);
            well(&done, round);
            assert_eq!(done[0].message(), (3 * round).to_ne_bytes());
        }
        assert_eq!(b.exposed.words()[1].load(Ordering::SeqCst), 60);
    });
}
