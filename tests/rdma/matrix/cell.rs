//! What there is to do, and what is to come of it.

use crate::work::{LocalSide, Manner};

/// A type of queue pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Rc,
    Uc,
    Ud,
}

impl Kind {
    pub(super) const ALL: [Kind; 3] = [Kind::Rc, Kind::Uc, Kind::Ud];
}

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Opcode {
    Send,
    SendWithImm,
    SendWithInvalidate,
    Write,
    WriteWithImm,
    Read,
    CompareSwap,
    FetchAdd,
    BindWindow,
    LocalInvalidate,
}

impl Opcode {
    pub(super) const ALL: [Opcode; 10] = [
        Opcode::Send,
        Opcode::SendWithImm,
        Opcode::SendWithInvalidate,
        Opcode::Write,
        Opcode::WriteWithImm,
        Opcode::Read,
        Opcode::CompareSwap,
        Opcode::FetchAdd,
        Opcode::BindWindow,
        Opcode::LocalInvalidate,
    ];

    pub(super) fn number(self) -> u8 {
        let mut all = (0..).zip(Opcode::ALL);
        all.find(|(_, opcode)| *opcode == self).unwrap().0
    }

    pub(super) const fn is_atomic(self) -> bool {
        matches!(self, Opcode::CompareSwap | Opcode::FetchAdd)
    }

    /// Whether bytes come from the peer.
    pub(super) const fn fetches(self) -> bool {
        self.is_atomic() || matches!(self, Opcode::Read)
    }

    /// Whether the peer must have a receive for it.
    pub(super) const fn is_received(self) -> bool {
        self.is_message() || matches!(self, Opcode::WriteWithImm)
    }

    /// Whether its bytes go into a receive.
    pub(super) const fn is_message(self) -> bool {
        matches!(
            self,
            Opcode::Send | Opcode::SendWithImm | Opcode::SendWithInvalidate
        )
    }

    pub(super) const fn has_imm(self) -> bool {
        matches!(self, Opcode::SendWithImm | Opcode::WriteWithImm)
    }

    /// Whether it is about a key, and moves no bytes.
    pub(super) const fn is_about_a_key(self) -> bool {
        matches!(self, Opcode::BindWindow | Opcode::LocalInvalidate)
    }

    const fn is_of(self, kind: Kind) -> bool {
        match kind {
            Kind::Rc => true,
            Kind::Uc => matches!(
                self,
                Opcode::Send | Opcode::SendWithImm | Opcode::Write | Opcode::WriteWithImm
            ),
            Kind::Ud => matches!(self, Opcode::Send | Opcode::SendWithImm),
        }
    }
}

/// How many bytes a request moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Len {
    Bytes(usize),
    /// A long message.
    Long,
}

/// How many bytes a packet carries.
const PACKET: usize = 1024;
/// How many bytes a request of these queue pairs can carry in itself.
const INLINE: usize = 64;

impl Len {
    /// Nothing, one byte, a word, an odd number, as much as a request carries, a packet, one byte more, several packets.
    pub(super) const SHORT: &'static [Len] = &[
        Len::Bytes(0),
        Len::Bytes(1),
        Len::Bytes(8),
        Len::Bytes(13),
        Len::Bytes(INLINE),
        Len::Bytes(PACKET),
        Len::Bytes(PACKET + 1),
        Len::Bytes(5000),
    ];
    pub(super) const LONG: &'static [Len] = &[Len::Long];

    pub(super) fn bytes(self, long: usize) -> usize {
        match self {
            Len::Bytes(bytes) => bytes,
            Len::Long => long,
        }
    }

    fn is_longer_than(self, bytes: usize) -> bool {
        !matches!(self, Len::Bytes(len) if len <= bytes)
    }
}

/// One piece of work to try.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) kind: Kind,
    pub(super) opcode: Opcode,
    pub(super) manner: Manner,
    pub(super) len: Len,
}

/// What is to come of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Runs,
    /// It can be asked for, and is refused before the device sees it.
    Refused(Refusal),
    /// It cannot be asked for.
    Absent(Absent),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    TooLong,
    TooLongInline,
    NotEightBytes,
}

/// Why there is no such request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Absent {
    OtherType,
    FetchesInline,
    NoBytes,
    BindIsAlone,
}

impl Cell {
    pub(super) fn fate(self) -> Fate {
        let Cell {
            kind,
            opcode,
            manner,
            len,
        } = self;
        let is_inline = manner.local == LocalSide::Inline;
        if !opcode.is_of(kind) {
            return Fate::Absent(Absent::OtherType);
        }
        if opcode.is_about_a_key() && (manner.local != LocalSide::One || len != Len::Bytes(0)) {
            return Fate::Absent(Absent::NoBytes);
        }
        if opcode == Opcode::BindWindow && !manner.is_plain() {
            return Fate::Absent(Absent::BindIsAlone);
        }
        if opcode.fetches() && is_inline {
            return Fate::Absent(Absent::FetchesInline);
        }
        if is_inline && len.is_longer_than(INLINE) {
            return Fate::Refused(Refusal::TooLongInline);
        }
        if kind == Kind::Ud && len.is_longer_than(PACKET) {
            return Fate::Refused(Refusal::TooLong);
        }
        if opcode.is_atomic() && len != Len::Bytes(8) {
            return Fate::Refused(Refusal::NotEightBytes);
        }
        Fate::Runs
    }
}
