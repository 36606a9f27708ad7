//! When something arrived: the kernel's and the NIC's times of what a socket receives.
//!
//! A socket is asked for them by [`Tuning::timestamping`](crate::tuning::Tuning::timestamping). UDP sockets then have
//! them with each [`Incoming`](crate::datagram::Incoming), any socket by [`receive`].
//!
//! ```
//! use std::net::UdpSocket;
//! use netprims::timestamp;
//! use netprims::tuning::{Timestamping, Tuning};
//!
//! let socket = UdpSocket::bind("127.0.0.1:0")?;
//! let stamps = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);
//! Tuning::new().timestamping(stamps).apply(&socket)?;
//! // The kernel begins to stamp a moment after it was asked to.
//! let mut buffer = [0; 16];
//! let stamped = loop {
//!     socket.send_to(b"now", socket.local_addr()?)?;
//!     let stamped = timestamp::receive(&socket, &mut buffer)?.expect("a blocking socket");
//!     if stamped.timestamps().software().is_some() {
//!         break stamped;
//!     }
//! };
//! assert_eq!(stamped.bytes(), 3);
//! assert!(stamped.timestamps().software().unwrap().elapsed()?.as_secs() < 60);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod stamped;
mod timestamps;

pub use stamped::{Stamped, receive};
pub use timestamps::Timestamps;
