//! Descriptors passed over Unix sockets: none is lost, and none stays open that nobody holds.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use again::limited;
use descriptors::{balanced, is_close_on_exec};
use netprims::fd::pass::{self, Cut, MAX_FDS};
use netprims::fd::{EventFd, MemFd, PidFd};
use netprims::{Error, Result};
use rstest::rstest;

mod again;
mod descriptors;

fn cut<T: std::fmt::Debug>(result: Result<T>) -> (Cut, usize, usize) {
    match result.unwrap_err() {
        Error::MessageCut {
            cut, bytes, fds, ..
        } => (cut, bytes, fds),
        error => panic!("{error}"),
    }
}

#[test]
fn what_arrives_is_what_was_sent_in_order_and_close_on_exec() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        let bell = EventFd::new().unwrap();
        let memory = MemFd::new("passed").unwrap();
        memory.set_len(77).unwrap();
        let process = PidFd::open(std::process::id()).unwrap();
        let fds = [bell.as_fd(), memory.as_fd(), process.as_fd()];
        assert_eq!(pass::send(&near, b"three", &fds).unwrap(), 5);
        let mut text = [0; 16];
        let message = pass::receive(&far, &mut text, 3).unwrap();
        assert_eq!(&text[..message.bytes()], b"three");
        assert!(message.fds().iter().all(is_close_on_exec));
        let mut fds = message.into_fds().into_iter();
        EventFd::from(fds.next().unwrap()).add(3).unwrap();
        assert_eq!(bell.take().unwrap(), 3);
        assert_eq!(MemFd::from(fds.next().unwrap()).len().unwrap(), 77);
        let process = PidFd::from(fds.next().unwrap());
        assert_eq!(process.pid().unwrap(), Some(std::process::id()));
    });
}

#[test]
fn every_limit_below_what_came_closes_all_of_them() {
    balanced(|| {
        let bell = EventFd::new().unwrap();
        for count in [1, 2, 3, 7, 64, MAX_FDS] {
            for limit in (0..count).step_by(1 + count / 50) {
                let (near, far) = UnixStream::pair().unwrap();
                pass::send(&near, b"x", &vec![bell.as_fd(); count]).unwrap();
                let result = pass::receive(&far, &mut [0; 1], limit);
                assert_eq!(cut(result), (Cut::TooMany { limit }, 1, count));
            }
            let (near, far) = UnixStream::pair().unwrap();
            pass::send(&near, b"x", &vec![bell.as_fd(); count]).unwrap();
            let message = pass::receive(&far, &mut [0; 1], count).unwrap();
            assert_eq!(message.fds().len(), count);
        }
    });
}

#[test]
fn a_datagram_cut_at_any_length_closes_all_of_them() {
    balanced(|| {
        let bell = EventFd::new().unwrap();
        let text = [7; 40];
        for room in 0..=text.len() {
            let (near, far) = UnixDatagram::pair().unwrap();
            pass::send(&near, &text, &[bell.as_fd(); 5]).unwrap();
            let mut data = vec![0; room];
            let result = pass::receive(&far, &mut data, 5);
            if room < text.len() {
                assert_eq!(cut(result), (Cut::Data, room, 5));
            } else {
                assert_eq!(result.unwrap().fds().len(), 5);
            }
            assert_eq!(data, text[..room]);
        }
    });
}

#[test]
fn a_stream_read_in_pieces_gives_the_descriptors_with_the_first() {
    balanced(|| {
        let bell = EventFd::new().unwrap();
        for room in 1..6 {
            let (near, far) = UnixStream::pair().unwrap();
            pass::send(&near, b"hello", &[bell.as_fd(); 2]).unwrap();
            pass::send(&near, b"!", &[bell.as_fd()]).unwrap();
            drop(near);
            let mut got = Vec::new();
            let mut counts = Vec::new();
            loop {
                let mut data = vec![0; room];
                let message = pass::receive(&far, &mut data, 2).unwrap();
                if message.bytes() == 0 {
                    assert!(message.fds().is_empty());
                    break;
                }
                got.extend(&data[..message.bytes()]);
                counts.extend(Some(message.fds().len()).filter(|count| *count > 0));
            }
            assert_eq!((got.as_slice(), counts), (&b"hello!"[..], vec![2, 1]));
        }
    });
}

#[rstest]
#[case::too_many(b"x", MAX_FDS + 1)]
#[case::no_byte(b"", 1)]
fn what_cannot_be_sent_is_refused_before(#[case] data: &[u8], #[case] count: usize) {
    balanced(|| {
        let bell = EventFd::new().unwrap();
        let (near, far) = UnixStream::pair().unwrap();
        let error = pass::send(&near, data, &vec![bell.as_fd(); count]).unwrap_err();
        assert!(matches!(error, Error::InvalidValue { .. }), "{error}");
        drop(near);
        assert_eq!((&far).read(&mut [0; 1]).unwrap(), 0);
    });
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        drop(far);
        let error = pass::send(&near, b"x", &[near.as_fd()]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(32), "{error}");
    });
}

#[test]
fn a_descriptor_that_is_no_socket_and_one_that_has_nothing_are_errors() {
    balanced(|| {
        let bell = EventFd::new().unwrap();
        let error = pass::receive(&bell, &mut [0; 1], 1).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(88), "{error}");
        assert_eq!(
            pass::send(&bell, b"x", &[]).unwrap_err().raw_os_error(),
            Some(88)
        );
        let (near, _far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let error = pass::receive(&near, &mut [0; 1], 1).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(11), "{error}");
    });
}

#[test]
fn plain_bytes_are_a_message_without_descriptors() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        (&near).write_all(b"plain").unwrap();
        let mut data = [0; 9];
        let message = pass::receive(&far, &mut data, 0).unwrap();
        assert_eq!((message.bytes(), message.fds().len()), (5, 0));
        pass::send(&far, b"", &[]).unwrap();
    });
}

#[test]
fn what_is_never_received_or_dropped_in_a_panic_is_closed() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        pass::send(&near, b"x", &[near.as_fd(); 4]).unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let _message = pass::receive(&far, &mut [0; 1], 4).unwrap();
            resume_unwind(Box::new("seeded"));
        }));
        assert!(result.is_err());
        let bell = EventFd::new().unwrap();
        pass::send(&near, b"x", &[bell.as_fd(); 4]).unwrap();
    });
}

/// A process of its own, since the limit is the whole process's.
#[test]
fn descriptors_this_process_may_not_open_are_reported_and_none_stays() {
    let name = "descriptors_this_process_may_not_open_are_reported_and_none_stays";
    balanced(|| {
        limited("--nofile=32", name, || {
            let (near, far) = UnixStream::pair().unwrap();
            // Fewer than may be on their way, more than may be open.
            for _ in 0..10 {
                pass::send(&near, b"x", &[near.as_fd(); 30]).unwrap();
                let (why, bytes, closed) = cut(pass::receive(&far, &mut [0; 1], 30));
                assert_eq!((why, bytes), (Cut::Descriptors, 1));
                assert!(closed > 0 && closed < 30, "{closed} came");
            }
        });
    });
}

#[test]
fn many_messages_leave_nothing_open() {
    balanced(|| {
        let (near, far) = UnixStream::pair().unwrap();
        for round in 0..10_000 {
            pass::send(&near, b"x", &[far.as_fd(); 3]).unwrap();
            let result = pass::receive(&far, &mut [0; 1], round % 5);
            assert_eq!(result.is_ok(), round % 5 >= 3);
        }
    });
}
