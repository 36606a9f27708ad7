//! Every guard dropped or forgotten, in every order, at every moment of every kind of work.
//!
//! - `cell`: the axes, and what cannot be, with the reason.
//! - `stage`: brings the work to its moment.
//! - `going`: the guards go, and after each of them the device does everything it may, and the memory
//!   is looked at past all owners.
//! - `table`: the matrix for people.

mod cell;
mod going;
mod stage;
mod table;

use rstest::rstest;

use crate::sys::defect::{self, Defect};
use cell::{Cell, Work};

/// Every so many cells are played, unless `LAB_FULL` is set: a number that shares no factor with those
/// of the axes, so that each value of each axis has its turn.
const STEP: usize = 41;

#[rstest]
fn whoever_goes_in_whatever_order_the_device_touches_its_own_memory_only(
    #[values(
        Work::Receive,
        Work::ReceiveList,
        Work::ReceiveBatch,
        Work::SharedReceive,
        Work::Send,
        Work::SendList,
        Work::Unsignalled,
        Work::Inline,
        Work::SendExposed,
        Work::Write,
        Work::Read,
        Work::ReadIntoExposed,
        Work::CompareSwap,
        Work::FetchAdd,
        Work::Batch,
        Work::Datagram,
        Work::DatagramBatch,
        Work::SharedDatagram,
        Work::Bind,
        Work::PeerWrites,
        Work::PeerWritesByWindow
    )]
    work: Work,
) {
    let is_full = std::env::var_os("LAB_FULL").is_some();
    let mut played = 0;
    for cell in Cell::all(work).step_by(if is_full { 1 } else { STEP }) {
        if let Err(wrong) = going::play(&cell) {
            panic!("{cell:?}: {wrong}");
        }
        played += 1;
    }
    assert!(played > 0, "there is nothing to play");
    println!("{work:?}: {played} cells played");
}

/// One bug put in, and some cell goes wrong by it.
#[rstest]
#[case::reuse_a_tag(Defect::ReuseTag, Work::Receive)]
#[case::hand_back_after_a_failed_post(Defect::HandBackAfterFailedPost, Work::Read)]
#[case::free_before_destroy(Defect::FreeBeforeDestroy, Work::Receive)]
#[case::free_sends_before_destroy(Defect::FreeBeforeDestroy, Work::Send)]
#[case::free_a_batch_of_receives_before_destroy(Defect::FreeBeforeDestroy, Work::ReceiveBatch)]
#[case::hand_back_before_reset(Defect::HandBackBeforeReset, Work::FetchAdd)]
#[case::forget_the_region(Defect::ForgetTheRegion, Work::ReadIntoExposed)]
#[case::forget_the_region_sent_from(Defect::ForgetTheRegion, Work::SendExposed)]
#[case::forget_the_region_in_a_batch(Defect::ForgetTheRegion, Work::Batch)]
#[case::unmap_before_deregister(Defect::UnmapBeforeDeregister, Work::PeerWrites)]
#[case::window_over_local_memory(Defect::ExposeLocalMemory, Work::PeerWritesByWindow)]
#[case::forget_the_destination(Defect::ForgetTheDestination, Work::Datagram)]
#[case::forget_the_destination_in_a_batch(Defect::ForgetTheDestination, Work::DatagramBatch)]
#[case::free_with_the_shared_queue(Defect::FreeWithTheSharedQueue, Work::SharedReceive)]
#[case::leave_the_shared_queue(Defect::LeaveTheSharedQueue, Work::SharedDatagram)]
fn a_defect_is_noticed(#[case] bug: Defect, #[case] work: Work) {
    let mut cells = Cell::all(work).step_by(STEP);
    let noticed = cells.any(|cell| defect::with(Some(bug), || going::play(&cell)).is_err());
    assert!(noticed, "no cell notices {bug:?}");
}
