//! Misuse that must not compile. Each case in `ui/` has a twin, `…_ok.rs`, that differs in the misuse only and does.

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/tuning_option_of_other_sockets.rs");
    cases.compile_fail("tests/ui/tuning_without_effect.rs");
    cases.compile_fail("tests/ui/tuning_for_other_sockets.rs");
    cases.pass("tests/ui/tuning_*_ok.rs");
    cases.compile_fail("tests/ui/datagrams_kept_past_the_next_receive.rs");
    cases.pass("tests/ui/datagrams_*_ok.rs");
    cases.compile_fail("tests/ui/zerocopy_buffer_touched.rs");
    cases.compile_fail("tests/ui/zerocopy_socket_exchanged.rs");
    cases.pass("tests/ui/zerocopy_*_ok.rs");
    if cfg!(feature = "ring") {
        cases.compile_fail("tests/ui/ring_moved_to_a_thread.rs");
        cases.compile_fail("tests/ui/ring_shared_with_a_thread.rs");
        cases.compile_fail("tests/ui/buffer_touched_after_send.rs");
        cases.compile_fail("tests/ui/buffer_sent_twice.rs");
        cases.compile_fail("tests/ui/buffer_sent_twice_in_a_message.rs");
        cases.compile_fail("tests/ui/ring_polled_from_its_handler.rs");
        cases.compile_fail("tests/ui/ring_socket_removed_in_its_handler.rs");
        cases.compile_fail("tests/ui/ring_dropped_in_its_handler.rs");
        cases.compile_fail("tests/ui/chunk_kept_past_its_handler.rs");
        cases.compile_fail("tests/ui/chunk_outlives_its_ring.rs");
        cases.compile_fail("tests/ui/chunk_kept_as_its_bytes.rs");
        cases.compile_fail("tests/ui/chunk_moved_to_a_thread.rs");
        cases.compile_fail("tests/ui/chunk_read_after_it_was_detached.rs");
        cases.compile_fail("tests/ui/chunk_written_to.rs");
        cases.compile_fail("tests/ui/chunk_cloned.rs");
        cases.compile_fail("tests/ui/event_kept_past_its_handler.rs");
        cases.compile_fail("tests/ui/queue_kept_past_its_handler.rs");
        cases.compile_fail("tests/ui/queue_moved_to_a_thread.rs");
        cases.compile_fail("tests/ui/queue_with_a_chunk_kept.rs");
        cases.pass("tests/ui/chunk_*_ok.rs");
        cases.pass("tests/ui/queue_*_ok.rs");
        cases.pass("tests/ui/event_*_ok.rs");
        cases.pass("tests/ui/ring_*_ok.rs");
        cases.pass("tests/ui/buffer_*_ok.rs");
    }
    if cfg!(feature = "tokio") {
        cases.compile_fail("tests/ui/async_ring_spawned.rs");
        cases.pass("tests/ui/async_*_ok.rs");
    }
}
