//! Sends without copying (`MSG_ZEROCOPY`) for sockets that are waited for with epoll, poll or tokio.
//!
//! A [`ZeroCopySender`] owns a TCP or UDP socket. [`send`](ZeroCopySender::send) moves a [`TxBuf`](crate::buffer::TxBuf)
//! in; the kernel sends from its pages and tells over the socket's error queue when it is done with them.
//! [`reap`](ZeroCopySender::reap) reads that queue and hands the buffers back, each with what became of its bytes. A
//! buffer is never reused while the kernel may read it, in whatever order things are dropped or forgotten.
//!
//! # Does it pay?
//!
//! Over a device that takes it, from some ten kilobytes a send: pinning pages and reading notifications have their price.
//! Shorter sends are therefore plain by default ([`threshold`](ZeroCopyOptions::threshold)). Over loopback and veth the
//! kernel copies everything, later, and a plain send is cheaper; so it does where a datagram is cut into fragments, or a
//! device has no scatter-gather or checksums. The sender notices, and sends plainly
//! ([`give_up_after`](ZeroCopyOptions::give_up_after)). [`totals`](ZeroCopySender::totals) tells what became of the bytes.
//!
//! Do not wait for a buffer before sending the next: of TCP it comes back when the peer has acknowledged it.
//!
//! # When to reap
//!
//! A message in the error queue shows as `EPOLLERR`, which epoll and poll tell without being asked. It stays until the
//! queue is empty, so a level-triggered loop that does not reap spins; [`reap`](ZeroCopySender::reap) empties it, which
//! is also what an edge-triggered one needs.
//!
//! A failed send of a datagram looks for its own notification, and takes those it finds before it. `EPOLLERR` is gone
//! then, and what was found waits in the sender: before waiting, [reap](ZeroCopySender::reap) while there is
//! [news](ZeroCopySender::has_news). A stream's sends take nothing from the queue.
//!
//! `EPOLLERR` also shows an error that is pending on a connected UDP socket, as that of an ICMP message is. `reap` takes
//! that too, and tells it ([`Event::Error`]). With epoll:
//!
//! ```
//! use std::net::{TcpListener, TcpStream};
//! use netprims::buffer::TxPool;
//! use netprims::fd::{Epoll, Events, Interest};
//! use netprims::zerocopy::{Event, Sent, ZeroCopyOptions};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let stream = TcpStream::connect(listener.local_addr()?)?;
//! # let (peer, _) = listener.accept()?;
//! # let reader = std::thread::spawn(move || std::io::copy(&mut { peer }, &mut std::io::sink()));
//! stream.set_nonblocking(true)?;
//!
//! let pool = TxPool::new(16, 64 * 1024)?;
//! let mut sender = ZeroCopyOptions::new().attach(stream)?;
//! let epoll = Epoll::new()?;
//! epoll.add(&sender, 0, Interest::WRITABLE.edge_triggered())?;
//!
//! let buf = pool.take().expect("a fresh pool has free slots");
//! let Sent::InFlight { ticket, .. } = sender.send(buf)? else { panic!("64 KiB are not copied") };
//!
//! let mut events = Events::with_capacity(16);
//! let mut back = None;
//! while back.is_none() {
//!     let mut take = |event| match event {
//!         Event::Released { ticket, buf, usage, .. } => back = Some((ticket, buf, usage)),
//!         other => println!("{other:?}"),
//!     };
//!     if sender.has_news() {
//!         sender.reap(&mut take)?; // nothing would wake this
//!         continue;
//!     }
//!     epoll.wait(&mut events, None)?;
//!     for event in events.iter() {
//!         if event.is_writable() {
//!             sender.flush(&mut take)?; // what the socket had no room for
//!         }
//!         if event.is_error() {
//!             sender.reap(&mut take)?;
//!         }
//!     }
//! }
//! assert_eq!(back.unwrap().0, ticket);
//! # drop(sender);
//! # reader.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With tokio, let both the sender and the task that waits share the socket: an `Arc` of it is a socket, too.
//!
//! ```
//! use std::io;
//! use std::sync::Arc;
//! use netprims::buffer::{TxBuf, TxPool};
//! use netprims::zerocopy::{Event, Sent, ZeroCopyOptions, ZeroCopySender};
//! use tokio::io::Interest;
//! use tokio::net::{TcpListener, TcpStream};
//!
//! type Sender = ZeroCopySender<Arc<TcpStream>>;
//!
//! /// Waits until the kernel has given something back.
//! async fn released(stream: &TcpStream, sender: &mut Sender, into: &mut Vec<TxBuf>) -> io::Result<()> {
//!     let mut take = |event| {
//!         if let Event::Released { buf, .. } = event {
//!             into.push(buf);
//!         }
//!     };
//!     if sender.has_news() {
//!         return sender.reap(&mut take).map(drop).map_err(io::Error::other); // nothing would wake this
//!     }
//!     stream
//!         .async_io(Interest::ERROR, || {
//!             let events = sender.reap(&mut take);
//!             match events.map_err(io::Error::other)? {
//!                 0 => Err(io::ErrorKind::WouldBlock.into()), // makes tokio wait
//!                 _ => Ok(()),
//!             }
//!         })
//!         .await
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
//! # runtime.block_on(async {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let stream = Arc::new(TcpStream::connect(listener.local_addr()?).await?);
//! # let (peer, _) = listener.accept().await?;
//! let pool = TxPool::new(16, 64 * 1024)?;
//! let mut sender = ZeroCopyOptions::new().attach(Arc::clone(&stream))?;
//!
//! let buf = pool.take().expect("a fresh pool has free slots");
//! assert!(matches!(sender.send(buf)?, Sent::InFlight { .. }));
//! # let peer = peer.into_std()?;
//! # peer.set_nonblocking(false)?;
//! # let reader = std::thread::spawn(move || std::io::copy(&mut { peer }, &mut io::sink()));
//! let mut back = Vec::new();
//! while sender.unsent() > 0 {
//!     let mut take = |event| {
//!         if let Event::Released { buf, .. } = event {
//!             back.push(buf);
//!         }
//!     };
//!     let flush = || match sender.flush(&mut take) {
//!         Ok(0) => Ok(()),
//!         Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
//!         Err(error) => Err(io::Error::other(error)),
//!     };
//!     stream.async_io(Interest::WRITABLE, flush).await?;
//! }
//! while back.is_empty() {
//!     released(&stream, &mut sender, &mut back).await?;
//! }
//! # drop((sender, stream));
//! # reader.join().unwrap()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without either, [`wait`](ZeroCopySender::wait) waits.
//!
//! # Short sends
//!
//! A stream may take less than a buffer has. The part it took is in flight, so the buffer cannot come back: the sender
//! keeps it, goes on with [`flush`](ZeroCopySender::flush), and releases it when the kernel is done with every part. While
//! [`unsent`](ZeroCopySender::unsent) is above 0, [`send`](ZeroCopySender::send) refuses the next buffer, and nothing else
//! may write to the stream.
//!
//! # What the kernel tells, and what it does not
//!
//! The kernel numbers a socket's zero-copy sends and reports ranges of numbers, merged as it likes. Of a merged range it
//! tells copied or not once, by its first send: [`Usage`](crate::buffer::Usage) is exact for a range of one, and where
//! all sends of a socket fare alike.
//!
//! The numbers are the kernel's count of *all* such sends of the socket, so nobody else may send on it with
//! `MSG_ZEROCOPY`, through a duplicate of the descriptor or through [`socket`](ZeroCopySender::socket), nor read its error
//! queue. Somebody who reads the queue takes notifications away: those buffers stay with the sender until it is
//! dropped, and so they do if `SO_ZEROCOPY` is turned off. **Turned off and on again** (also by
//! [`Tuning::zerocopy`](crate::tuning::Tuning::zerocopy)) it shifts the count: sends meanwhile were not numbered, which
//! the kernel does not tell, and later buffers come back before it is done with them. Somebody who sends shifts the count: the sender notices when a number comes that it has not sent, or one
//! comes twice, and then gives nothing back any more ([`State::Disturbed`]). What was given back before that it cannot
//! notice; a buffer may then have been reused too early, and the packet carries its new bytes. Memory is safe even so: the
//! kernel holds the pages themselves. A socket that has `SO_ZEROCOPY` already may have been sent on and is refused.
//!
//! # Closing
//!
//! Closing a socket loses its error queue. [`close`](ZeroCopySender::close) waits for what is in flight, with a bound;
//! dropping the sender does not wait. Buffers that are still outstanding then get fresh pages and go back to their pool,
//! while the kernel keeps the old ones with the bytes that were sent. Where that cannot be (a pool that is registered
//! with a ring) they are leaked and counted ([`leaked_bytes`](crate::buffer::leaked_bytes)).
//!
//! # Forked children
//!
//! A forked child's copy of a sender does nothing: its calls fail with `EBADF`, and dropping it takes nothing from the
//! error queue, which is the parent's. Its buffers are memory of its own ([`TxPool`](crate::buffer::TxPool)).
//!
//! # Kernels
//!
//! Linux 4.14 for TCP, 5.0 for UDP. Source: `Documentation/networking/msg_zerocopy.rst`.

mod event;
mod not_attached;
mod not_sent;
mod options;
mod sender;
mod sent;

pub use crate::sys::zerocopy::{Limit, Message, Origin, State, Totals};
pub use event::{Event, Ticket};
pub use not_attached::NotAttached;
pub use not_sent::NotSent;
pub use options::{WhenFull, ZeroCopyOptions};
pub use sender::{Closed, ZeroCopySender};
pub use sent::Sent;
