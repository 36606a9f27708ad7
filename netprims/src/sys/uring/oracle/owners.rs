//! Who owns a slot, a mapping, a descriptor: each with a seeded defect that must be noticed.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::unistd::dup2;
use rstest::rstest;

use super::PATIENCE;
use super::cell::{And, Cell, Going, Moment, Part, Situation, Work};
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

/// What arrives at a socket, and at another one that gets its number once it is taken from the ring.
fn a_taken_socket_whose_number_is_used_again() -> (usize, usize) {
    let mut ring = Ring::builder().drain_limit(PATIENCE).build().unwrap();
    let pool = ring.tx_pool(1, 64).unwrap();
    let (near, mut far) = UnixStream::pair().unwrap();
    let (other, mut other_far) = UnixStream::pair().unwrap();
    let socket = ring.add(near).unwrap();
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
        far.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        far.read_to_end(&mut Vec::new()).unwrap()
    };
    (arrived(&mut far), arrived(&mut other_far))
}

#[test]
fn what_is_queued_goes_to_its_own_socket_although_that_is_taken() {
    assert_eq!(
        defect::with(None, a_taken_socket_whose_number_is_used_again),
        (64, 0)
    );
    let bug = Some(Defect::CloseWhatIsQueued);
    assert_eq!(
        defect::with(bug, a_taken_socket_whose_number_is_used_again),
        (0, 64),
        "the defect was not noticed"
    );
}
