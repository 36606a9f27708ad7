//! Who owns a slot, a mapping, a descriptor: each with a seeded defect that must be noticed.

use std::io::Read;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::unistd::dup2;
use rstest::rstest;

use super::PATIENCE;
use super::cell::{And, Cell, Going, Moment, Part, Situation, Work};
use super::made::Made;
use super::stage::Stage;
use super::watched::Watched;
use super::watched_over;
use crate::ring::{Event, Ring, TxPool, Wait, ZcPolicy};
use crate::sys::defect::{self, Defect};

const ORDER: [Part; 4] = [Part::Ring, Part::Pool, Part::Socket, Part::Buffer];

#[rstest]
#[case::free_at_send(Defect::FreeAtSend, true)]
#[case::release_at_first_completion(Defect::ReleaseAtFirstCompletion, true)]
#[case::skip_the_drain(Defect::SkipTheDrain, true)]
#[case::free_what_is_dropped(Defect::FreeWhatIsDropped, true)]
#[case::unmap_what_is_sent(Defect::UnmapWhatIsSent, false)]
fn the_matrix_notices_a_defect(#[case] bug: Defect, #[case] zero_copy: bool) {
    let cell = Cell {
        made: Made::Usual,
        work: Work {
            zero_copy,
            and: And::Nothing,
        },
        situation: Situation::ReadsLater,
        moment: Moment::Told,
        going: Going::Taken(ORDER),
    };
    let ends_well = |seeded: Option<Defect>| {
        let play = move || {
            let stage = Stage::new(&cell);
            defect::with(seeded, || stage.play(&cell).go(&cell));
        };
        watched_over(&format!("{cell:?} with {seeded:?}"), play).is_ok()
    };
    assert!(ends_well(None));
    assert!(!ends_well(Some(bug)), "{bug:?} was not noticed");
}

/// Whether a buffer that an event brought is still as it was after everybody else has written all they can have.
fn a_released_buffer_is_its_owners() -> bool {
    let (watched, mapping) = Watched::new(2, 4096);
    let mut ring = Ring::builder().build().unwrap();
    let pool = ring.engine().pool_in(mapping, watched.shape());
    let pool = TxPool::of(pool.unwrap().unwrap());
    let (near, _far) = UnixStream::pair().unwrap();
    let socket = ring.add(near).unwrap();
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Never)
        .unwrap();
    let mut released = None;
    while released.is_none() {
        ring.poll(Wait::AtMost(PATIENCE), |event| {
            if let Event::Released { buf, .. } = event {
                released = Some(buf);
            }
        })
        .unwrap();
    }
    let mut released = released.unwrap();
    released.fill(1);
    for mut other in std::iter::from_fn(|| pool.take()).take(2) {
        other.fill(2);
        // With the defect it has another owner, who frees it.
        std::mem::forget(other);
    }
    let is_whole = released.iter().all(|byte| *byte == 1);
    std::mem::forget(released);
    is_whole
}

#[test]
fn a_released_slot_has_one_owner() {
    assert!(defect::with(None, a_released_buffer_is_its_owners));
    let buggy = defect::with(Some(Defect::FreeAtRelease), a_released_buffer_is_its_owners);
    assert!(!buggy, "the defect was not noticed");
}

/// What arrives at a socket, and at another one that gets its number once it is taken from the ring. Before it come sends
/// that the kernel copies for a while.
fn a_taken_socket_whose_number_is_used_again(made: Made) -> (usize, usize) {
    const BUSY: u32 = 32;
    let ring = made.builder().in_flight(2 * BUSY).drain_limit(PATIENCE);
    let mut ring = ring.build().unwrap();
    let long = ring.tx_pool(BUSY, 32 * 1024).unwrap();
    let pool = ring.tx_pool(1, 64).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let (other, mut other_far) = UnixStream::pair().unwrap();
    let socket = ring.add(near).unwrap();
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.connect(sink.local_addr().unwrap()).unwrap();
    let sink = ring.add(sink).unwrap();
    for buf in std::iter::from_fn(|| long.take()) {
        ring.send(sink, buf, ZcPolicy::Never).unwrap();
    }
    ring.send(socket, pool.take().unwrap(), ZcPolicy::Never)
        .unwrap();
    let mut taken = ring.remove(socket).unwrap();
    dup2(&other, &mut taken).unwrap();
    drop(other);
    while ring.in_flight() > 0 {
        ring.poll(Wait::AtMost(PATIENCE), |_| ()).unwrap();
    }
    drop((ring, taken));
    let arrived = |far: &mut UnixStream| {
        far.set_read_timeout(Some(PATIENCE)).unwrap();
        far.read_to_end(&mut Vec::new()).unwrap()
    };
    (arrived(&mut far), arrived(&mut other_far))
}

const ITS_OWN: (usize, usize) = (64, 0);

#[rstest]
#[case::usual(Made::Usual, (0, 64))]
// The place in the table of files is cleared, and the send finds nothing there.
#[case::with_files(Made::WithFiles, (0, 0))]
fn what_is_queued_goes_to_its_own_socket_although_that_is_taken(
    #[case] made: Made,
    #[case] buggy: (usize, usize),
) {
    let arrived = |bug| defect::with(bug, || a_taken_socket_whose_number_is_used_again(made));
    assert_eq!(arrived(None), ITS_OWN);
    let bug = Some(Defect::CloseWhatIsQueued);
    assert_eq!(arrived(bug), buggy, "the defect was not noticed");
}

#[test]
fn what_a_thread_has_not_taken_goes_to_its_own_socket() {
    let arrived = |made, bug| defect::with(bug, || a_taken_socket_whose_number_is_used_again(made));
    assert_eq!(arrived(Made::WithThread, None), ITS_OWN);
    let bug = Some(Defect::TrustTheThread);
    // The thread may be fast for once.
    let is_noticed = (0..100).any(|_| arrived(Made::WithThread, bug) == (0, 64));
    assert!(is_noticed, "the defect was not noticed");
    assert_eq!(arrived(Made::Usual, bug), ITS_OWN, "there is no thread");
}

/// Whether a connection ends when its socket was taken from the ring and closed, within this time.
fn is_closed_once_taken(made: Made, within: Duration) -> bool {
    let mut ring = made.builder().build().unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    far.set_read_timeout(Some(within)).unwrap();
    let socket = ring.add(near).unwrap();
    drop(ring.remove(socket).unwrap());
    let read = far.read(&mut [0]);
    drop(ring);
    matches!(read, Ok(0))
}

#[test]
fn a_registered_socket_that_is_taken_is_its_owners_alone() {
    let made = Made::WithFiles;
    assert!(defect::with(None, || is_closed_once_taken(made, PATIENCE)));
    let moment = Duration::from_millis(100);
    let is_closed = |made| {
        let bug = Some(Defect::LeaveInTheTable);
        defect::with(bug, || is_closed_once_taken(made, moment))
    };
    assert!(!is_closed(made), "the defect was not noticed");
    assert!(is_closed(Made::Usual), "it is in no table");
}
