use crate::datagram::Incoming;
use crate::ring::Address;
use crate::sys::datagrams::Arrival;
use crate::sys::uring::Head;

/// A message that was received, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    bytes: &'a [u8],
    /// Of one that was received with it.
    head: Option<Head<'a>>,
    is_cut: bool,
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8], head: &'a [u8], is_cut: bool) -> Self {
        Self {
            bytes,
            head: Head::of(head),
            is_cut,
        }
    }

    pub(super) fn source(&self) -> Option<Address> {
        Address::of_kernel(self.head?.name)
    }

    pub(super) fn is_cut(&self) -> bool {
        let head = self.head;
        self.is_cut || head.is_some_and(|head| head.data_cut || self.is_short_of(head.len))
    }

    pub(super) fn whole_len(&self) -> Option<usize> {
        if !self.is_cut() {
            return Some(self.bytes.len());
        }
        let len = self.head?.len;
        // Some families tell only what was left of it.
        let len = Some(len).filter(|len| self.is_short_of(*len))?;
        usize::try_from(len).ok()
    }

    pub(super) fn incoming(&self) -> Option<Incoming<'a>> {
        let head = self.head?;
        Some(Incoming::of(Arrival {
            bytes: self.bytes,
            name: head.name,
            control: head.control,
            data_cut: self.is_cut(),
            control_cut: head.control_cut,
        }))
    }

    fn is_short_of(&self, len: u32) -> bool {
        usize::try_from(len).is_ok_and(|len| len > self.bytes.len())
    }
}
