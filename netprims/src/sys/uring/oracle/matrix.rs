use rstest::rstest;

use super::cell::{And, Cell, Situation, Work};
use super::made::Made;
use super::play;
use super::stage::Stage;

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
    #[values(And::Nothing, And::Together, And::Limited, And::ShutDown, And::Cancel)] and: And,
) {
    let work = Work { zero_copy, and };
    play_those_that_can(Cell::all(Made::Usual, work, situation));
}

/// The same with a request in flight that has nothing to do with the sends, whose peer is one for all.
#[rstest]
fn going_away_beside_another_request_is_sound(
    #[values(false, true)] zero_copy: bool,
    #[values(And::Accept, And::Connect, And::Timeout)] and: And,
) {
    let work = Work { zero_copy, and };
    play_those_that_can(Cell::all(Made::Usual, work, Situation::ReadsLater));
}

/// The same, however the kernel gets the requests and the requests name their sockets.
#[rstest]
fn going_away_is_sound_on_a_ring_of_another_make(
    #[values(Made::WithThread, Made::WithFiles)] made: Made,
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
) {
    let works = Work::ALL.into_iter();
    let works = works.filter(|work| work.zero_copy == zero_copy);
    play_those_that_can(works.flat_map(|work| Cell::all(made, work, situation)));
}

fn play_those_that_can(cells: impl Iterator<Item = Cell> + Send) {
    let cells = cells.filter(|cell| cell.reason_not_run().is_none());
    // Most of them wait for a timer of TCP's.
    play(6, cells, |cell| Stage::new(&cell).play(&cell).go(&cell));
}
