//! A queue on the kernel that runs the tests, by hand: what it says, or, where it has queues without a device, bytes that
//! come over loopback.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd};

use io_uring::{IoUring, cqueue, opcode, squeue, types};

use super::arrival::{Arrival, End};
use super::provider::SystemCalls;
use super::queue::{PATIENCE, Queue, Source};
use crate::caller::{Caller, Capability};
use crate::sys::memory::{Mapping, page_size};
use crate::sys::uring::version;

type Ring = IoUring<squeue::Entry, cqueue::Entry32>;

const PAGES: usize = 64;
const TOTAL: usize = 1 << 20;

/// `None` on a kernel that does not defer work.
fn ring() -> Option<Ring> {
    let mut builder = IoUring::<squeue::Entry, cqueue::Entry32>::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    builder.setup_cqsize(256);
    let made = builder.build(8);
    if version::is_at_least(6, 1) {
        return Some(made.unwrap());
    }
    let errno = made.err().and_then(|error| error.raw_os_error());
    assert_eq!(errno, Some(libc::EINVAL));
    None
}

fn byte(at: usize) -> u8 {
    u8::try_from(at % 251).unwrap()
}

#[test]
fn the_kernel_says_what_it_lacks_or_receives_without_a_device() {
    let Some(mut ring) = ring() else { return };
    let len = NonZeroUsize::new(PAGES * page_size().unwrap()).unwrap();
    let area = Mapping::anonymous(len).unwrap();
    let fd = ring.as_raw_fd();
    // SAFETY: the ring is open until the test ends.
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let mut kernel = SystemCalls::on(fd.as_fd());
    // SAFETY: the area is read below only where a fragment says, and before it is given back.
    let registered = unsafe { Queue::register(&mut kernel, Source::NoDevice, &area, PATIENCE) };
    let is_capable = Caller::look().has(Capability::NetAdmin) == Some(true);
    let queue = match registered {
        Ok(queue) => queue,
        Err(refused) => {
            // What has no operation for it refuses by `EINVAL` before it asks who it is.
            let is_old = !refused.support.no_device && !version::is_at_least(7, 2);
            let errno = refused.error.raw_os_error();
            let is_refused = match errno {
                Some(libc::EINVAL) => is_old,
                Some(libc::EPERM) => !is_capable,
                _ => false,
            };
            assert!(is_refused, "{refused:?}");
            return;
        }
    };
    let (near, far) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, far)
    };
    let sender = std::thread::spawn(move || {
        let bytes: Vec<u8> = (0..TOTAL).map(byte).collect();
        { far }.write_all(&bytes).unwrap();
    });
    let received = receive_all(&mut ring, queue, &mut kernel, &area, &near);
    sender.join().unwrap();
    assert_eq!(received, TOTAL);
}

/// Receives until the peer has closed, and looks at every byte.
fn receive_all(
    ring: &mut Ring,
    mut queue: Queue,
    kernel: &mut SystemCalls<'_>,
    area: &Mapping,
    socket: &TcpStream,
) -> usize {
    let (mut received, mut fragments, mut starved) = (0, 0_u64, 0);
    let mut is_armed = false;
    let page_len = queue.shape().page_len as usize;
    loop {
        if !is_armed {
            let receive = opcode::RecvZc::new(types::Fd(socket.as_raw_fd()), 0)
                .ifq(queue.id())
                .build();
            // SAFETY: the request refers to no memory but the area.
            unsafe { ring.submission().push(&receive) }.unwrap();
            is_armed = true;
        }
        ring.submit_and_wait(1).unwrap();
        for entry in ring.completion() {
            let more = cqueue::more(entry.flags());
            match queue.read(entry.result(), more, entry.big_cqe()[0]) {
                Arrival::Fragment(fragment) => {
                    let start = fragment.page as usize * page_len + fragment.start as usize;
                    for at in 0..fragment.len as usize {
                        // SAFETY: the fragment lies in the area.
                        let place = unsafe { area.base().add(start + at) };
                        // SAFETY: the kernel does not write the fragment before it is given back.
                        let seen = unsafe { place.read() };
                        assert_eq!(seen, byte(received + at));
                    }
                    received += fragment.len as usize;
                    fragments += 1;
                    // SAFETY: it is given back once, and not read any more.
                    assert!(unsafe { queue.give_back(fragment.page) });
                }
                Arrival::End(End::Closed) => {
                    let counters = queue.counters().unwrap();
                    assert_eq!(counters.bytes, received as u64, "of {fragments} fragments");
                    assert!(counters.copies > 0 && queue.flushes() > 0);
                    eprintln!("{fragments} fragments, {starved} times starved, {counters:?}");
                    return received;
                }
                Arrival::End(End::Starved | End::Crowded) => {
                    starved += 1;
                    is_armed = false;
                }
                other => panic!("{other:?}"),
            }
        }
        queue.publish(kernel).unwrap();
        if !is_armed {
            queue.flush(kernel).unwrap();
        }
    }
}
