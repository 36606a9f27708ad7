//! The requests of each type of queue pair.

use netprims_rdma::{
    Bufs, Connected, Datagram, Local, QpType, Rc, RemoteAccess, RemoteKey, RemoteSlice, Uc, Ud,
    WcOpcode, WcStatus, Window, Wr,
};

use super::cell::Opcode;
use super::held::Held;
use super::run::{AT, REQUEST, WINDOW};

/// The bytes of this side.
pub(super) enum Source<'a> {
    Memory(Local<'a>),
    Inline(&'a [u8]),
}

/// What the peer's side is, and the numbers of the request.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) there: RemoteSlice,
    /// A key of the peer's to invalidate, or of this side.
    pub(super) key: RemoteKey,
    pub(super) imm: u32,
    pub(super) to: Option<&'a Datagram>,
    /// Compare and swap, or add.
    pub(super) values: (u64, u64),
}

/// A type of queue pair with its requests.
pub(super) trait Requests: QpType + Sized {
    /// The request, but for those about keys of this side.
    fn request<'a>(opcode: Opcode, from: Source<'a>, target: Target<'a>) -> Wr<'a, Self>;

    /// Gives the peer a key to a part of a side's memory, once that is done.
    fn bind(side: &mut Held<Self>) -> RemoteSlice {
        unreachable!("{} binds no windows", side.side.qp.number())
    }

    /// Takes the key of a window.
    fn invalidation<'a>(window: &Window) -> Wr<'a, Self> {
        unreachable!("{window:?}")
    }

    /// An empty message.
    fn marker<'a>(target: Target<'a>) -> Wr<'a, Self> {
        let none = Source::Memory(Bufs::None.into());
        Self::request(Opcode::Send, none, target)
    }
}

impl Requests for Rc {
    fn request<'a>(opcode: Opcode, from: Source<'a>, target: Target<'a>) -> Wr<'a, Self> {
        let Target {
            there, key, values, ..
        } = target;
        let word = || there.word(0).unwrap();
        match (opcode, from) {
            (Opcode::SendWithInvalidate, Source::Memory(local)) => Wr::send_invalidate(local, key),
            (Opcode::SendWithInvalidate, Source::Inline(bytes)) => {
                Wr::send_inline_invalidate(bytes, key)
            }
            (Opcode::Read, Source::Memory(local)) => Wr::read(local, there),
            (Opcode::CompareSwap, Source::Memory(local)) => {
                Wr::compare_swap(local, word(), values.0, values.1)
            }
            (Opcode::FetchAdd, Source::Memory(local)) => Wr::fetch_add(local, word(), values.1),
            (_, from) => connected(opcode, from, target),
        }
    }

    fn bind(held: &mut Held<Self>) -> RemoteSlice {
        let part = AT..AT + WINDOW;
        let rights = RemoteAccess::READ | RemoteAccess::WRITE;
        let (wr, there) = Wr::bind(&mut held.window, part, rights).unwrap();
        held.side.qp.post_bind(wr, REQUEST).unwrap();
        let done = held.side.wait(1);
        let told = (done[0].status, done[0].opcode, done[0].token);
        assert_eq!(told, (WcStatus::Success, WcOpcode::BindWindow, REQUEST));
        there
    }

    fn invalidation<'a>(window: &Window) -> Wr<'a, Self> {
        Wr::invalidate(window)
    }
}

impl Requests for Uc {
    fn request<'a>(opcode: Opcode, from: Source<'a>, target: Target<'a>) -> Wr<'a, Self> {
        connected(opcode, from, target)
    }
}

impl Requests for Ud {
    fn request<'a>(opcode: Opcode, from: Source<'a>, target: Target<'a>) -> Wr<'a, Self> {
        let (to, imm) = (target.to.unwrap(), target.imm);
        match (opcode, from) {
            (Opcode::Send, Source::Memory(local)) => Wr::send_to(local, to),
            (Opcode::Send, Source::Inline(bytes)) => Wr::send_inline_to(bytes, to),
            (Opcode::SendWithImm, Source::Memory(local)) => Wr::send_imm_to(local, imm, to),
            (Opcode::SendWithImm, Source::Inline(bytes)) => Wr::send_inline_imm_to(bytes, imm, to),
            _ => unreachable!("{opcode:?} on a datagram queue pair"),
        }
    }
}

fn connected<'a, T: Connected>(opcode: Opcode, from: Source<'a>, target: Target<'a>) -> Wr<'a, T> {
    let Target { there, imm, .. } = target;
    match (opcode, from) {
        (Opcode::Send, Source::Memory(local)) => Wr::send(local),
        (Opcode::Send, Source::Inline(bytes)) => Wr::send_inline(bytes),
        (Opcode::SendWithImm, Source::Memory(local)) => Wr::send_imm(local, imm),
        (Opcode::SendWithImm, Source::Inline(bytes)) => Wr::send_inline_imm(bytes, imm),
        (Opcode::Write, Source::Memory(local)) => Wr::write(local, there),
        (Opcode::Write, Source::Inline(bytes)) => Wr::write_inline(bytes, there),
        (Opcode::WriteWithImm, Source::Memory(local)) => Wr::write_imm(local, there, imm),
        (Opcode::WriteWithImm, Source::Inline(bytes)) => Wr::write_inline_imm(bytes, there, imm),
        _ => unreachable!("{opcode:?} is no request of every connected queue pair"),
    }
}
