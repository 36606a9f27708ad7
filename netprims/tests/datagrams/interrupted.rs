//! A signal ends a wait, as it does in std: whoever handles it gets to look.

use std::thread;
use std::time::Duration;

use netprims::datagram::{Outgoing, ReceiveBatch, SendBatch};
use netprims::timestamp;

use crate::netns::{Fresh, in_fresh};
use crate::pair;
use crate::partial::stuck;
use crate::sys::signals::{interrupt_on_usr1, interrupt_until_it_ends};

#[test]
fn a_signal_ends_the_wait_for_a_datagram() {
    interrupt_on_usr1();
    // Without a time limit the kernel has the call restarted after a handler that asks for it; with one, never.
    for limit in [None, Some(Duration::from_secs(1000))] {
        let (near, far) = pair("127.0.0.1:0");
        far.set_read_timeout(limit).unwrap();
        let waiting = thread::spawn(move || {
            let mut batch = ReceiveBatch::new(4, 16).unwrap();
            let received = batch.receive(&far).unwrap();
            assert!(received.is_empty() && received.is_interrupted());
            near.send(b"x").unwrap();
            // Signals go on while this waits for nothing.
            let received = batch.try_receive(&far).unwrap();
            assert!(received.len() == 1 && !received.is_interrupted());
            far
        });
        let far = interrupt_until_it_ends(waiting);
        let waiting = thread::spawn(move || timestamp::receive(&far, &mut [0; 8]).unwrap_err());
        let error = interrupt_until_it_ends(waiting);
        assert_eq!(error.raw_os_error(), Some(libc::EINTR), "{error}");
    }
}

#[test]
fn a_signal_ends_the_wait_for_room() {
    let test = "interrupted::a_signal_ends_the_wait_for_room";
    in_fresh(Fresh::Network, test, || {
        interrupt_on_usr1();
        let (near, _far) = stuck();
        near.set_nonblocking(false).unwrap();
        let messages = [Outgoing::new(&[7; 1000]); 40];
        let waiting = thread::spawn(move || {
            let mut batch = SendBatch::new(64).unwrap();
            // The kernel tells what went, and no longer that a signal came: the batch does not wait once more.
            let sent = batch.send(&near, &messages).unwrap();
            assert!((1..40).contains(&sent.messages()), "{sent:?}");
            assert!(sent.is_blocked() && !sent.is_interrupted(), "{sent:?}");
            // Nothing goes, so it tells.
            let sent = batch.resume(&near, &messages, sent).unwrap();
            assert!(!sent.is_blocked() && sent.is_interrupted(), "{sent:?}");
        });
        interrupt_until_it_ends(waiting);
    });
}
