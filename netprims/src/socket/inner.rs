//! What the socket types have in common.

/// What every struct has whose field `inner` is a socket of std: `close`, `local_addr`, `set_nonblocking`, and the
/// conversions.
macro_rules! socket {
    ($name:ident, $std:ty, $address:ty) => {
        impl $name {
            /// The address it is bound to; a port that was left to the kernel is the one it chose.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System) if the descriptor is no socket of this family.
            #[doc(alias = "getsockname")]
            pub fn local_addr(&self) -> crate::Result<$address> {
                self.inner
                    .local_addr()
                    .map_err(|error| $crate::socket::inner::failed("getsockname of", self, error))
            }

            /// Whether a call that would wait is `EAGAIN` instead. Default: no. Duplicates of the descriptor, in this
            /// process and others, share the setting.
            ///
            /// tokio's `from_std` wants it set before.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System); Linux gives none for a socket.
            #[doc(alias = "O_NONBLOCK")]
            pub fn set_nonblocking(&self, on: bool) -> crate::Result<()> {
                self.inner
                    .set_nonblocking(on)
                    .map_err(|error| $crate::socket::inner::failed("ioctl FIONBIO on", self, error))
            }

            /// Closes it and returns what `Drop` would swallow; see [`fd::close`](crate::fd::close).
            ///
            /// # Errors
            ///
            /// Those of [`fd::close`](crate::fd::close).
            pub fn close(self) -> crate::Result<()> {
                crate::fd::close(self)
            }
        }

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(&self.inner)
            }
        }

        impl std::os::fd::AsRawFd for $name {
            /// For what asks for a number, such as tokio's `AsyncFd`. It stays this value's to close.
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(&self.inner)
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            /// Takes the descriptor as it is: of which kind it is shows when it is used.
            fn from(fd: std::os::fd::OwnedFd) -> Self {
                Self { inner: fd.into() }
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            fn from(socket: $name) -> Self {
                socket.inner.into()
            }
        }

        impl From<$std> for $name {
            fn from(inner: $std) -> Self {
                Self { inner }
            }
        }

        impl From<$name> for $std {
            fn from(socket: $name) -> Self {
                socket.inner
            }
        }
    };
}

/// The address of the other end.
macro_rules! peer {
    ($name:ident, $address:ty) => {
        impl $name {
            /// The other end's address.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System): `ENOTCONN` if it has none, or none any more.
            #[doc(alias = "getpeername")]
            pub fn peer_addr(&self) -> crate::Result<$address> {
                self.inner
                    .peer_addr()
                    .map_err(|error| $crate::socket::inner::failed("getpeername of", self, error))
            }

            /// Ends reading, writing or both, for every duplicate of the descriptor. Calls that wait return; the peer
            /// of a stream reads its end.
            ///
            /// # Errors
            ///
            /// [`Error::System`](crate::Error::System): `ENOTCONN` without a peer, except for a Unix socket, which ends
            /// for itself.
            ///
            /// Source: shutdown(2).
            pub fn shutdown(&self, how: std::net::Shutdown) -> crate::Result<()> {
                let ended = socket2::SockRef::from(self).shutdown(how);
                ended.map_err(|error| $crate::socket::inner::failed("shutdown of", self, error))
            }
        }
    };
}

/// `Read` and `Write` of a stream, by reference too, as std's streams have them.
macro_rules! stream {
    ($name:ident) => {
        $crate::socket::inner::stream!($name, $name);
        $crate::socket::inner::stream!($name, &$name);
    };
    ($name:ident, $this:ty) => {
        impl std::io::Read for $this {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                (&self.inner).read(buf)
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                (&self.inner).read_vectored(bufs)
            }
        }

        impl std::io::Write for $this {
            fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                (&self.inner).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[std::io::IoSlice<'_>]) -> std::io::Result<usize> {
                (&self.inner).write_vectored(bufs)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

/// Sending and receiving between two ends, for datagram sockets.
macro_rules! datagrams {
    ($name:ident) => {
        impl $name {
            /// Sends a datagram to the peer it is connected to. Returns how many bytes were taken, which is all.
            ///
            /// # Errors
            ///
            /// `EMSGSIZE` for one that is too long, `EDESTADDRREQ` or `ENOTCONN` without a peer, `ECONNREFUSED` if an
            /// earlier one found nobody there (or, of Unix sockets, if the peer is gone), `EAGAIN` on a non-blocking
            /// socket.
            ///
            /// Source: send(2).
            pub fn send(&self, data: &[u8]) -> std::io::Result<usize> {
                crate::fd::retry(|| self.inner.send(data))
            }

            /// Receives a datagram. Returns how many bytes of it are in `data`; what does not fit is lost.
            ///
            /// # Errors
            ///
            /// `EAGAIN` on a non-blocking socket, `ECONNREFUSED` if a datagram sent to the peer found nobody there.
            ///
            /// Source: recv(2).
            pub fn recv(&self, data: &mut [u8]) -> std::io::Result<usize> {
                crate::fd::retry(|| self.inner.recv(data))
            }
        }
    };
}

pub(super) use {datagrams, peer, socket, stream};

/// An error of a socket, named by its descriptor.
pub(super) fn failed(
    operation: &'static str,
    socket: &impl std::os::fd::AsRawFd,
    error: std::io::Error,
) -> crate::Error {
    crate::Error::system(operation, format_args!("fd {}", socket.as_raw_fd()), error)
}
