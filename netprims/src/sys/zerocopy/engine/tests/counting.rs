//! Which sends the kernel has counted, where it does not say.

use super::*;

#[rstest]
#[case::no_source_route(libc::EOPNOTSUPP)]
#[case::host_unknown(libc::EHOSTDOWN)]
#[case::host_isolated(libc::ENONET)]
#[case::no_protocol(libc::ENOPROTOOPT)]
#[case::parameter_problem(libc::EPROTO)]
#[case::no_port(libc::ECONNREFUSED)]
fn an_icmp_message_fails_one_datagram_and_changes_nothing_else(#[case] errno: i32) {
    let mut bench = bench(false, 8);
    bench.kernel().answers.push_back(Answer::Fail(errno));
    assert_eq!(what(&bench.send(500)), format!("errno {errno}"));
    assert_eq!(bench.engine.state(), State::ZeroCopy);
    bench.held(500);
}

#[rstest]
#[case(libc::EPERM)]
#[case(libc::EACCES)]
#[case(libc::EINVAL)]
#[case(libc::EHOSTUNREACH)]
#[case(libc::ENETUNREACH)]
#[case(libc::EMSGSIZE)]
#[case(libc::EIO)]
fn what_the_way_out_says_of_a_datagram_in_fragments_is_in_doubt(#[case] errno: i32) {
    let late = Answer::FailCountedLate(errno);
    let mut bench = bench(false, 8);
    bench.kernel().mtu = 100;
    bench.kernel().answers.push_back(late);
    assert_eq!(what(&bench.send(500)), format!("doubtful 0 {errno}"));
    assert_eq!(bench.engine.awaited(), 0, "perhaps it never comes");
    // One that is known to be too long for a packet is never counted, and of one that is not, the word is final.
    for mtu in [100, 500] {
        let mut bench = self::bench(false, 8);
        (bench.kernel().mtu, bench.kernel().knows_mtu) = (mtu, true);
        bench.kernel().answers.push_back(late);
        assert_eq!(what(&bench.send(500)), format!("errno {errno}"));
        bench.kernel().answers.push_back(Answer::Fail(errno));
        assert_eq!(what(&bench.send(500)), format!("errno {errno}"));
        bench.kernel().mtu = 500;
        let next = bench.held(500).0;
        assert_eq!(bench.reap().released, []);
        bench.kernel().finish(0, 1, false);
        assert_eq!(bench.reap().released, [(next, 500, Usage::ZeroCopied)]);
    }
}

#[rstest]
#[case::hidden(false, 0)]
#[case::told_of_one_packet(true, 1)]
fn without_room_for_notifications_none_are_taken_in_vain(#[case] told: bool, #[case] taken: usize) {
    let mut bench = bench(false, 8);
    (bench.kernel().tells_device_errors, bench.kernel().knows_mtu) = (told, true);
    bench.held(500);
    bench.kernel().finish(0, 1, false);
    bench
        .kernel()
        .answers
        .push_back(Answer::Fail(libc::ENOBUFS));
    assert_eq!(what(&bench.send(500)), "copied");
    assert_eq!(bench.engine.has_news(), told);
    assert_eq!(bench.kernel().posted.len(), 1 - taken);
    assert_eq!(bench.engine.state(), State::ZeroCopy);
    assert_eq!(bench.reap().released.len(), 1);
}

#[test]
fn a_plain_send_for_want_of_room_counts_when_it_succeeds() {
    let mut bench = bench(false, 1);
    bench.held(500);
    bench.kernel().answers.push_back(Answer::Fail(libc::EAGAIN));
    assert_eq!(what(&bench.send(500)), format!("errno {}", libc::EAGAIN));
    assert_eq!(bench.engine.totals().full, 0);
    assert_eq!(what(&bench.send(500)), "copied");
    assert_eq!(bench.engine.totals().full, 1);
}

#[rstest]
#[case::too_long(libc::EMSGSIZE)]
#[case::refused_by_a_firewall(libc::EPERM)]
fn a_datagram_that_failed_comes_back_counted_or_not(
    #[case] errno: i32,
    #[values(Answer::Fail, Answer::FailCounted)] answer: fn(i32) -> Answer,
) {
    let mut bench = bench(false, 8);
    bench.kernel().knows_mtu = true;
    bench.kernel().answers.push_back(answer(errno));
    assert_eq!(what(&bench.send(500)), format!("errno {errno}"));
    let next = bench.held(500).0;
    assert_eq!(
        bench.reap().released,
        [],
        "the notification is of the one before"
    );
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [(next, 500, Usage::ZeroCopied)]);
    assert_eq!(bench.engine.state(), State::ZeroCopy);
}

#[test]
fn in_doubt_sends_are_plain_until_the_count_is_known() {
    let mut bench = bench(false, 8);
    bench.kernel().tells_device_errors = true;
    bench.kernel().mtu = 100;
    let first = bench.held(500).0;
    bench
        .kernel()
        .answers
        .push_back(Answer::FailCountedLate(libc::ENOBUFS));
    assert_eq!(
        what(&bench.send(500)),
        format!("doubtful 1 {}", libc::ENOBUFS)
    );
    assert_eq!(bench.engine.state(), State::InDoubt);
    assert_eq!(what(&bench.send(500)), "copied");
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [(first, 500, Usage::ZeroCopied)]);
    assert_eq!(bench.engine.state(), State::InDoubt);
    bench.kernel().finish(0, 1, false);
    assert_eq!(bench.reap().released, [(1, 0, Usage::NotSent)]);
    assert_eq!(bench.engine.state(), State::ZeroCopy);
    bench.held(500);
}

#[rstest]
#[case::never_sent(8, 8)]
#[case::sent_and_more(0, 8)]
fn a_count_that_is_not_ours_ends_all_releases(#[case] from: u32, #[case] to: u32) {
    let mut bench = bench_from(0, true, 8);
    bench.held(500);
    bench.held(500);
    let copied = false;
    let stray = Received::Done {
        first: from,
        last: to,
        copied,
    };
    bench.kernel().posted.push_back(stray);
    bench.kernel().finish(0, 2, false);
    assert_eq!(bench.reap().released, []);
    assert_eq!(bench.engine.state(), State::Disturbed);
    assert_eq!(bench.engine.totals().strays, 2);
    assert_eq!(what(&bench.send(500)), "copied");
    assert_eq!(bench.engine.abandon().renewed, 2);
    assert_eq!(bench.pool.outstanding(), 0);
}
