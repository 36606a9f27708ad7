//! Keys to parts of memory.

use super::*;

/// Two sides, the second with a window over the first half of its memory.
fn windowed(rxe: &Rxe) -> (Side<Rc>, Side<Rc>, ExposedMr, Window, RemoteSlice) {
    let (a, mut b) = sides(rxe, manners()[1], reliable);
    let access = RemoteAccess::WINDOWS;
    let memory = b.qp.pd().register_exposed(4096, access).unwrap();
    let mut window = memory.alloc_window().unwrap();
    let rights = RemoteAccess::READ | RemoteAccess::WRITE;
    let (wr, there) = Wr::bind(&mut window, 0..2048, rights).unwrap();
    b.qp.post_bind(wr, 1).unwrap();
    let done = b.wait(1);
    well(&done, "bind");
    assert_eq!(done[0].opcode, WcOpcode::BindWindow);
    (a, b, memory, window, there)
}

#[rstest]
#[case::by_this_side(false)]
#[case::by_the_peer(true)]
fn an_invalidated_key_opens_nothing(#[case] by_peer: bool) {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, mut b, _memory, window, there) = windowed(&rxe);
        if by_peer {
            b.post_recv(b.memory.take().unwrap(), 7);
            a.qp.post(Wr::send_invalidate(Bufs::None, there.key()), 1)
                .unwrap();
            well(&a.wait(1), "send with invalidate");
            let received = b.wait(1);
            well(&received, "received");
            // Soft-RoCE puts the kernel's flag for it into the completion, which is another one's in
            // verbs.h (`do_complete` in `rxe_resp.c`): so it is not told.
            let told = received[0].invalidated();
            assert!(told.is_none_or(|key| key == there.key()), "{told:?}");
        } else {
            b.qp.post(Wr::invalidate(&window), 3).unwrap();
            let done = b.wait(1);
            well(&done, "local invalidate");
            assert_eq!(done[0].opcode, WcOpcode::LocalInvalidate);
        }
        let buf = a.filled(16, 6);
        a.qp.post(Wr::write(buf, there), 2).unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
    });
}

/// The region gives none of its own. That a window gives no more bytes than its own cannot be seen here: Soft-RoCE sees to
/// the bounds of the region. And once a write of several packets came by a window, or one from beyond the bounds, it does
/// not let go of the region, whose deregistration then takes 50 s and a warning of the kernel's (6.12, `rxe_resp.c`).
#[test]
fn a_window_gives_the_rights_it_was_bound_with() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, mut b) = sides(&rxe, manners()[1], reliable);
        let memory =
            b.qp.pd()
                .register_exposed(4096, RemoteAccess::WINDOWS)
                .unwrap();
        let mut window = memory.alloc_window().unwrap();
        let (wr, there) = Wr::bind(&mut window, 0..4096, RemoteAccess::READ).unwrap();
        b.qp.post_bind(wr, 1).unwrap();
        well(&b.wait(1), "bind");
        a.qp.post(Wr::read(a.filled(64, 5), there), 1).unwrap();
        well(&a.wait(1), "read");
        a.qp.post(Wr::write(a.filled(64, 5), there), 2).unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
    });
}

#[test]
fn a_dropped_window_opens_nothing() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, b, _memory, window, there) = windowed(&rxe);
        drop(window);
        let buf = a.filled(16, 6);
        a.qp.post(Wr::read(buf, there), 2).unwrap();
        assert_eq!(a.wait(1)[0].status, WcStatus::RemoteAccess);
        drop(b);
    });
}
