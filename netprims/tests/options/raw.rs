//! What the kernel must have of an option, as its own headers number it and read back past the crate.

use std::os::fd::OwnedFd;

use super::sys::raw_option;

#[derive(Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// Numbers of 32 bits, in a row.
    Numbers(&'a [i64]),
    /// One of 64 bits.
    Wide(u64),
    /// A name that may be padded with NUL.
    Text(&'a str),
    /// The kernel has no way to read it.
    Unreadable,
}

impl Raw<'_> {
    pub(crate) const ON: Self = Self::Numbers(&[1]);
    pub(crate) const OFF: Self = Self::Numbers(&[0]);

    /// Compares it with what is in effect.
    pub(crate) fn check(self, socket: &OwnedFd, (level, option): (i32, i32)) {
        let read = |room: usize| {
            let mut bytes = vec![0; room];
            let len = raw_option::get(socket, level, option, &mut bytes)?;
            bytes.truncate(len);
            Ok::<_, std::io::Error>(bytes)
        };
        let got = match self {
            Self::Numbers(numbers) => read(size_of::<u32>() * numbers.len()),
            Self::Wide(_) => read(size_of::<u64>()),
            Self::Text(_) => read(LONGEST_NAME).map(|name| {
                let name = name.split(|byte| *byte == 0).next();
                name.unwrap_or_default().to_owned()
            }),
            Self::Unreadable => {
                let error = read(size_of::<u32>()).unwrap_err();
                return assert_eq!(error.raw_os_error(), Some(libc::ENOPROTOOPT), "{error}");
            }
        };
        assert_eq!(got.unwrap(), self.bytes(), "level {level}, option {option}");
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Numbers(numbers) => {
                let bytes = |number: &i64| u32::try_from(*number).unwrap().to_ne_bytes();
                numbers.iter().flat_map(bytes).collect()
            }
            Self::Wide(number) => number.to_ne_bytes().to_vec(),
            Self::Text(name) => name.as_bytes().to_owned(),
            Self::Unreadable => Vec::new(),
        }
    }
}

/// `IFNAMSIZ`, `TCP_CA_NAME_MAX` and `TCP_ULP_NAME_MAX`.
const LONGEST_NAME: usize = 16;
