//! `sendmmsg`.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{Aligned, CONTROL_OUT, NAME, NO_DATA, count, empty, flags, to_usize};

/// The arrays of `sendmmsg`, for use again and again.
///
/// Invariant: the pointers in `headers` and `data` are followed by nothing but the system call in [`Queue::send`],
/// which writes those of `headers` right before, and only for entries whose `data` the same [`Queue`] has written.
pub(crate) struct Sender {
    headers: Box<[libc::mmsghdr]>,
    data: Box<[libc::iovec]>,
    names: Box<[Aligned<NAME>]>,
    controls: Box<[Aligned<CONTROL_OUT>]>,
}

// SAFETY: the raw pointers are what keeps the type from being `Send`. By the invariant nothing follows them outside of
// `Queue::send`, and a queue borrows the sender: while it is moved to another thread there is no queue. What they may
// point to by then does not matter.
unsafe impl Send for Sender {}

// SAFETY: no method takes `&self` and reaches the pointers; sharing gives nobody anything.
unsafe impl Sync for Sender {}

impl Sender {
    /// Room for that many messages a call.
    pub(crate) fn new(messages: usize) -> Self {
        let header = libc::mmsghdr {
            msg_hdr: empty(),
            msg_len: 0,
        };
        Self {
            headers: vec![header; messages].into(),
            data: vec![NO_DATA; messages].into(),
            names: vec![Aligned([0; NAME]); messages].into(),
            controls: vec![Aligned([0; CONTROL_OUT]); messages].into(),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.headers.len()
    }

    /// An empty queue. What an earlier one held is forgotten.
    pub(crate) fn queue<'data>(&mut self) -> Queue<'_, 'data> {
        Queue {
            sender: self,
            filled: 0,
            sent: 0,
            data: PhantomData,
        }
    }
}

/// Messages to send. It borrows what they hold.
///
/// Invariant: `data[..filled]` was written by this queue's `push`, from slices that live for `'data`.
pub(crate) struct Queue<'sender, 'data> {
    sender: &'sender mut Sender,
    filled: usize,
    sent: usize,
    data: PhantomData<&'data [u8]>,
}

/// What a call sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Went {
    pub(crate) messages: usize,
    /// How many bytes of the last message, if not all: the socket is a stream.
    pub(crate) cut: Option<usize>,
}

impl Went {
    #[cfg(test)]
    pub(super) fn all(messages: usize) -> Self {
        Self {
            messages,
            cut: None,
        }
    }
}

impl<'data> Queue<'_, 'data> {
    /// Appends a message. An empty name is that of the connected peer.
    ///
    /// `false` if there is no room for the message, its name or its control messages.
    pub(crate) fn push(&mut self, payload: &'data [u8], name: &[u8], control: &[u8]) -> bool {
        let at = self.filled;
        let sender = &mut *self.sender;
        let (Some(header), Some(data)) = (sender.headers.get_mut(at), sender.data.get_mut(at))
        else {
            return false;
        };
        let own_name = sender.names.get_mut(at);
        let own_control = sender.controls.get_mut(at);
        let (Some(own_name), Some(own_control)) = (
            own_name.and_then(|own| own.0.get_mut(..name.len())),
            own_control.and_then(|own| own.0.get_mut(..control.len())),
        ) else {
            return false;
        };
        own_name.copy_from_slice(name);
        own_control.copy_from_slice(control);
        header.msg_hdr.msg_namelen = count(name.len());
        header.msg_hdr.msg_controllen = count(control.len());
        // The kernel only reads from it.
        data.iov_base = payload.as_ptr().cast_mut().cast();
        data.iov_len = payload.len();
        self.filled += 1;
        true
    }

    /// Whether `push` has no more room.
    pub(crate) fn is_full(&self) -> bool {
        self.filled == self.sender.headers.len()
    }

    /// How many messages wait to be sent.
    pub(crate) fn pending(&self) -> usize {
        self.filled - self.sent
    }

    /// Forgets every message.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.sent = 0;
    }

    /// `sendmmsg` of what is pending: what went, which is then no longer pending. At least one message did, or the error
    /// is that of the first. It waits for room if `wait` and the socket say so.
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>, wait: bool) -> io::Result<Went> {
        let pending = self.sent..self.filled;
        #[cfg(test)]
        let pending = self.without_offload(pending)?;
        let sender = &mut *self.sender;
        let (Some(headers), Some(data), Some(names), Some(controls)) = (
            sender.headers.get_mut(pending.clone()),
            sender.data.get_mut(pending.clone()),
            sender.names.get_mut(pending.clone()),
            sender.controls.get_mut(pending),
        ) else {
            return Ok(Went::default());
        };
        let parts = data.iter_mut().zip(names).zip(controls);
        for (header, ((data, name), control)) in headers.iter_mut().zip(parts) {
            let header = &mut header.msg_hdr;
            header.msg_name = name.0.as_mut_ptr().cast();
            header.msg_iov = data;
            header.msg_iovlen = count(1);
            header.msg_control = control.0.as_mut_ptr().cast();
        }
        let messages = count(headers.len());
        let now = if wait { 0 } else { libc::MSG_DONTWAIT };
        let how = flags(libc::MSG_NOSIGNAL | now);
        // SAFETY: the kernel reads `messages` headers, which is the length of `headers`, and writes their `msg_len`;
        // `headers` is borrowed for writing. Of each it reads the name, the one iovec and the control messages, which the
        // loop above has just pointed to elements of `names`, `data` and `controls`; all three are borrowed for writing
        // and not used otherwise until the call is over. The lengths of name and control are within the elements: `push`
        // has written as many bytes to them. Of each iovec it reads the bytes of a slice that lives for `'data`, by the
        // queue's invariant, and the queue, which is in use, does not outlive `'data`. The socket is open: its owner is
        // borrowed.
        let result =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), messages, how) };
        // Negative is an error.
        let sent = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        let sent = sent.min(self.filled - self.sent);
        self.sent += sent;
        Ok(Went {
            messages: sent,
            cut: self.cut(),
        })
    }

    /// How much of the last message that went did so, if not all of it. The kernel stops behind such a message.
    fn cut(&self) -> Option<usize> {
        let last = self.sent.checked_sub(1)?;
        let went = to_usize(self.sender.headers.get(last)?.msg_len);
        (went < self.sender.data.get(last)?.iov_len).then_some(went)
    }

    #[cfg(test)]
    fn without_offload(
        &self,
        pending: std::ops::Range<usize>,
    ) -> io::Result<std::ops::Range<usize>> {
        let entry = |nth: usize| {
            let len = to_usize(self.sender.headers[nth].msg_hdr.msg_controllen);
            &self.sender.controls[nth].0[..len]
        };
        let taken = super::no_offload::taken(pending.clone().map(entry))?;
        Ok(pending.start..pending.start + taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair() -> (UdpSocket, UdpSocket) {
        let far = UdpSocket::bind("127.0.0.1:0").unwrap();
        let near = UdpSocket::bind("127.0.0.1:0").unwrap();
        near.connect(far.local_addr().unwrap()).unwrap();
        (near, far)
    }

    #[test]
    fn a_queue_that_was_given_up_leaves_nothing_to_send() {
        let (near, far) = pair();
        far.set_nonblocking(true).unwrap();
        let mut sender = Sender::new(2);
        {
            let text = b"gone".to_vec();
            let mut queue = sender.queue();
            assert!(queue.push(&text, &[], &[]));
        }
        let mut queue = sender.queue();
        assert_eq!(queue.pending(), 0);
        assert_eq!(queue.send(near.as_fd(), true).unwrap(), Went::all(0));
        assert!(queue.push(b"kept", &[], &[]));
        assert_eq!(queue.send(near.as_fd(), true).unwrap(), Went::all(1));
        let mut text = [0; 8];
        assert_eq!(far.recv(&mut text).unwrap(), 4);
        assert_eq!(&text[..4], b"kept");
        far.recv(&mut text).unwrap_err();
    }

    #[test]
    fn what_has_no_room_is_refused_and_nothing_changes() {
        let mut sender = Sender::new(1);
        let mut queue = sender.queue();
        assert!(!queue.push(b"x", &[0; NAME + 1], &[]));
        assert!(!queue.push(b"x", &[], &[0; CONTROL_OUT + 1]));
        assert_eq!(queue.pending(), 0);
        assert!(queue.push(b"x", &[0; NAME], &[0; CONTROL_OUT]));
        assert!(queue.is_full());
        assert!(!queue.push(b"y", &[], &[]));
        assert_eq!(queue.pending(), 1);
    }

    #[test]
    fn of_a_message_to_a_stream_a_part_goes_and_no_message_behind_it() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let text = vec![1; 4 << 20];
        let mut sender = Sender::new(2);
        let mut queue = sender.queue();
        assert!(queue.push(&text, &[], &[]));
        assert!(queue.push(b"behind", &[], &[]));
        let went = queue.send(near.as_fd(), false).unwrap();
        let cut = went.cut.unwrap();
        assert!(
            went.messages == 1 && (1..text.len()).contains(&cut),
            "{went:?}"
        );
        drop(near);
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut &far, &mut got).unwrap();
        assert_eq!(got.len(), cut);
    }

    #[test]
    fn it_goes_to_another_thread() {
        let (near, far) = pair();
        let mut sender = Sender::new(1);
        let mut queue = sender.queue();
        assert!(queue.push(b"one", &[], &[]));
        assert_eq!(queue.send(near.as_fd(), true).unwrap(), Went::all(1));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut sender = sender;
                let mut queue = sender.queue();
                assert!(queue.push(b"two", &[], &[]));
                assert_eq!(queue.send(near.as_fd(), true).unwrap(), Went::all(1));
            });
        });
        let mut text = [0; 8];
        assert_eq!(far.recv(&mut text).unwrap(), 3);
        assert_eq!(far.recv(&mut text).unwrap(), 3);
        assert_eq!(&text[..3], b"two");
    }
}
