//! What every type that is one descriptor has in common.

/// `close` and the conversions of a struct whose field `fd` converts from and to an `OwnedFd`.
macro_rules! owned_fd {
    ($name:ident) => {
        impl $name {
            /// Closes it and returns what `Drop` would swallow; see [`close`](crate::fd::close).
            ///
            /// # Errors
            ///
            /// Those of [`close`](crate::fd::close).
            pub fn close(self) -> crate::Result<()> {
                crate::fd::close(self)
            }
        }

        impl std::os::fd::AsFd for $name {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                std::os::fd::AsFd::as_fd(&self.fd)
            }
        }

        impl std::os::fd::AsRawFd for $name {
            /// For what asks for a number, such as tokio's `AsyncFd`. It stays this value's to close.
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsFd::as_fd(self).as_raw_fd()
            }
        }

        impl From<std::os::fd::OwnedFd> for $name {
            /// Takes the descriptor as it is: of which kind it is shows when it is used.
            fn from(fd: std::os::fd::OwnedFd) -> Self {
                Self { fd }
            }
        }

        impl From<$name> for std::os::fd::OwnedFd {
            fn from(value: $name) -> Self {
                value.fd
            }
        }
    };
}

pub(crate) use owned_fd;
