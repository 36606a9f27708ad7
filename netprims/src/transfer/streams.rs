use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{SockRef, Type};

use crate::{Error, Result};

/// Whether it is a socket. A socket of messages is refused, named as the argument it was.
pub(super) fn is_socket(argument: &'static str, fd: BorrowedFd<'_>) -> Result<bool> {
    match SockRef::from(&fd).r#type() {
        Ok(Type::STREAM) => Ok(true),
        Ok(_) => Err(Error::InvalidValue {
            option: argument,
            value: format!("fd {}, a socket of messages", fd.as_raw_fd()),
            reason: "only streams are bytes without bounds: messages would be cut and joined",
        }),
        // What it is instead, the call that moves the bytes will tell.
        Err(_) => Ok(false),
    }
}
