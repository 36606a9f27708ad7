//! Misuse that must not compile. Each case in `ui/` has a twin, `…_ok.rs`, that differs in the misuse only and does.
#![cfg(feature = "ring")]

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/ring_moved_to_a_thread.rs");
    cases.compile_fail("tests/ui/ring_shared_with_a_thread.rs");
    cases.compile_fail("tests/ui/buffer_touched_after_send.rs");
    cases.compile_fail("tests/ui/buffer_sent_twice.rs");
    cases.compile_fail("tests/ui/ring_polled_from_its_handler.rs");
    cases.pass("tests/ui/*_ok.rs");
}
