use rstest::rstest;

use super::cell::{And, Cell, Situation, Work};
use super::stage::Stage;
use super::{played, watched_over};

/// Whatever goes away in whatever order: nothing blocks, the peer gets what was sent, nothing that is free is read or
/// written, and what stays mapped is what somebody owns or the kernel keeps.
#[rstest]
fn going_away_in_any_order_at_any_moment_is_sound(
    #[values(
        Situation::NeverReads,
        Situation::ReadsLater,
        Situation::ClosesFirst,
        Situation::ClosesLast,
        Situation::ResetsFirst,
        Situation::ResetsLast,
        Situation::ShutDown,
        Situation::TooLong,
        Situation::NoSocket,
        Situation::Refuses
    )]
    situation: Situation,
    #[values(false, true)] zero_copy: bool,
    #[values(
        And::Nothing,
        And::Together,
        And::ShutDown,
        And::Cancel,
        And::Accept,
        And::Connect,
        And::Timeout
    )]
    and: And,
) {
    let work = Work { zero_copy, and };
    let cells = Cell::all(work, situation).filter(|cell| cell.reason_not_run().is_none());
    for cell in played(cells) {
        let name = format!("{cell:?}");
        let judged = watched_over(&name, move || Stage::new(&cell).play(&cell).go(&cell));
        assert!(judged.is_ok(), "{name}");
    }
}
