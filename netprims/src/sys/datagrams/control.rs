//! Control messages to send, as bytes: nothing here is unsafe.

use std::ffi::c_int;

use crate::sys::control::{HEADER, WORD};

/// Writes control messages into a buffer of its own.
#[derive(Clone, Debug)]
pub(crate) struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Writer<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Appends a message, if there is room for it: `N` is the caller's to choose so that there is.
    pub(crate) fn put(&mut self, level: c_int, kind: c_int, payload: &[u8]) {
        let len = HEADER + payload.len();
        let end = self.len + len.next_multiple_of(WORD);
        let Some(room) = self.bytes.get_mut(self.len..end) else {
            debug_assert!(false, "no room for a control message");
            return;
        };
        let header = [
            &len.to_ne_bytes()[..],
            &level.to_ne_bytes(),
            &kind.to_ne_bytes(),
            payload,
        ];
        // Padding stays as it is: zero.
        for (byte, value) in room.iter_mut().zip(header.into_iter().flatten()) {
            *byte = *value;
        }
        self.len = end;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::control::messages;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn all(control: &[u8]) -> Vec<(c_int, c_int, Vec<u8>)> {
        messages(control)
            .map(|message| (message.level, message.kind, message.payload.to_vec()))
            .collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            want in vec((any::<c_int>(), any::<c_int>(), vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let mut writer = Writer::<512>::new();
            for (level, kind, payload) in &want {
                writer.put(*level, *kind, payload);
            }
            prop_assert_eq!(all(writer.bytes()), want);
        }

        #[test]
        fn a_buffer_cut_anywhere_has_the_first_of_them(
            want in vec((any::<c_int>(), any::<c_int>(), vec(any::<u8>(), 0..40)), 0..8),
            cut: u16,
        ) {
            let mut writer = Writer::<512>::new();
            for (level, kind, payload) in &want {
                writer.put(*level, *kind, payload);
            }
            let bytes = writer.bytes();
            let found = all(&bytes[..usize::from(cut) % (bytes.len() + 1)]);
            prop_assert!(found.len() <= want.len());
            for (found, want) in found.iter().zip(&want) {
                prop_assert_eq!((found.0, found.1), (want.0, want.1));
                prop_assert!(want.2.starts_with(&found.2));
            }
        }

        #[test]
        fn any_bytes_end_and_stay_within(
            control in vec(prop_oneof![3 => 0..40u8, 1 => any::<u8>()], 0..300),
        ) {
            let mut total = 0;
            for message in messages(&control) {
                total += HEADER + message.payload.len();
            }
            prop_assert!(total <= control.len());
        }

        #[test]
        fn the_length_is_what_libc_measures(len in 0..40_u32) {
            let mut writer = Writer::<64>::new();
            let bytes = [7; 40];
            let size = usize::try_from(len).unwrap();
            writer.put(1, 2, &bytes[..size]);
            // SAFETY: arithmetic on a number.
            let space = unsafe { libc::CMSG_SPACE(len) };
            prop_assert_eq!(writer.bytes().len(), usize::try_from(space).unwrap());
        }
    }
}
