use std::time::{Duration, Instant};

use netprims::ring::{RxBuf, Wait};

use super::{LIMIT, PATIENCE, Reader, plan, tcp, write};

const TOTAL: u64 = 400_000;
const PAGES: u32 = 8;

/// Keeps every chunk until no more come.
fn starve(reader: &mut Reader) -> Vec<(u64, RxBuf)> {
    let mut kept = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while reader.pool.stats().starved == 0 {
        assert!(Instant::now() < deadline, "{:?}", reader.pool.stats());
        kept.extend(reader.poll(Wait::AtMost(Duration::from_millis(20)), |_| true));
    }
    // Nothing comes any more, however long one waits.
    let more = reader.poll(Wait::AtMost(Duration::from_millis(50)), |_| true);
    assert!(more.is_empty());
    kept
}

fn assert_kept(reader: &Reader, kept: &[(u64, RxBuf)]) {
    for (at, bytes) in kept {
        assert!(
            reader.pattern.has(*at, bytes),
            "what was kept at {at} was written"
        );
    }
}

#[test]
fn an_area_that_is_kept_starves_the_receive_until_it_is_dropped() {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(PAGES));
    let writer = write(far, TOTAL);
    let kept = starve(&mut reader);
    assert_eq!(reader.pool.outstanding(), PAGES);
    assert_eq!(kept.len(), usize::try_from(PAGES).unwrap());
    assert_kept(&reader, &kept);
    drop(kept);
    reader.finish();
    writer.join().unwrap();
    reader.assert_whole(TOTAL);
}

#[test]
fn a_single_page_that_comes_back_from_another_thread_is_enough() {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(PAGES));
    let writer = write(far, TOTAL);
    let mut kept = starve(&mut reader);
    let last = kept.pop();
    let dropper = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        drop(last);
    });
    // Waits for ever, and is woken although nothing comes over the network.
    reader.poll(Wait::Forever, |_| false);
    dropper.join().unwrap();
    reader.finish();
    writer.join().unwrap();
    assert_kept(&reader, &kept);
    assert_eq!(reader.received, TOTAL);
    drop(kept);
    reader.poll(Wait::No, |_| false);
    reader.assert_whole(TOTAL);
}

#[test]
fn what_is_kept_stays_as_it_is_while_others_come_and_go() {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(PAGES));
    let writer = write(far, TOTAL);
    let (mut kept, mut turn) = (Vec::new(), 0_u64);
    while reader.end.is_none() {
        let new = reader.poll(LIMIT, |_| {
            turn += 1;
            turn % 3 == 0
        });
        assert_kept(&reader, &kept);
        kept.extend(new);
        // Never the whole area.
        let spare = kept.len().saturating_sub(4);
        kept.drain(..spare);
    }
    writer.join().unwrap();
    kept.clear();
    reader.assert_whole(TOTAL);
}

#[test]
fn a_forgotten_page_is_lost_and_counted_and_no_other() {
    let (near, far) = tcp();
    let mut reader = Reader::new(near, &plan(PAGES));
    let writer = write(far, TOTAL);
    let mut is_first = true;
    let mut kept = Vec::new();
    while kept.is_empty() {
        kept = reader.poll(LIMIT, |_| std::mem::take(&mut is_first));
    }
    kept.into_iter().for_each(|(_, buf)| std::mem::forget(buf));
    reader.finish();
    writer.join().unwrap();
    assert_eq!((reader.received, reader.pool.outstanding()), (TOTAL, 1));
}
