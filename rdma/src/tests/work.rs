//! Kinds of work, and the memory on this side of them.

use rstest::rstest;

use super::*;
use crate::{
    BufList, Bufs, Connected, Datagram, Path, Qkey, QpType, RemoteAccess, RemoteKey, RemoteSlice,
    Ud,
};

fn there(len: u64) -> RemoteSlice {
    RemoteSlice::new(0x1000, len, RemoteKey::new(0x77))
}

fn shown(rig: &Rig, len: usize) -> Buf {
    let mut buf = rig.buf();
    buf.set_len(len);
    buf
}

#[rstest]
#[case::send(Wr::send(Bufs::None), 2, 0)]
#[case::send_imm(Wr::send_imm(Bufs::None, 0x0102_0304), 3, 0x0102_0304_u32.to_be())]
#[case::send_invalidate(Wr::send_invalidate(Bufs::None, RemoteKey::new(9)), 9, 9)]
#[case::write(Wr::write(Bufs::None, there(0)), 0, 0)]
#[case::write_imm(Wr::write_imm(Bufs::None, there(0), 1), 1, 1_u32.to_be())]
#[case::read(Wr::read(Bufs::None, there(0)), 4, 0)]
fn requests_are_what_verbs_h_calls_them(
    #[case] wr: Wr<'static, Rc>,
    #[case] opcode: u32,
    #[case] imm_or_rkey: u32,
) {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(wr.fenced().solicited(), 1).unwrap();
    let posted = rig.fake.posted(Queue::Send);
    let seen = (posted[0].opcode, posted[0].imm_or_rkey, posted[0].flags);
    assert_eq!(seen, (opcode, imm_or_rkey, 0b111));
}

#[test]
fn atomics_move_eight_bytes_and_no_others() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let word = there(16).word(8).unwrap();
    qp.post(Wr::compare_swap(shown(&rig, 8), word, 1, 2), 1)
        .unwrap();
    qp.post(Wr::fetch_add(shown(&rig, 8), word, 3), 2).unwrap();
    let opcodes: Vec<_> = rig
        .fake
        .posted(Queue::Send)
        .iter()
        .map(|wr| wr.opcode)
        .collect();
    assert_eq!(opcodes, [5, 6]);
    for len in [0, 7, 9] {
        let rejected = qp
            .post(Wr::fetch_add(shown(&rig, len), word, 3), 3)
            .unwrap_err();
        assert!(
            matches!(
                rejected.error,
                Error::WrongLength {
                    least: 8,
                    most: 8,
                    ..
                }
            ),
            "{rejected}"
        );
        assert!(rejected.into_buf().is_some());
    }
}

#[test]
fn more_than_the_remote_memory_has_is_refused_before_it_is_posted() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    qp.post(Wr::write(shown(&rig, 50), there(50)), 1).unwrap();
    for wr in [
        Wr::write(shown(&rig, 51), there(50)),
        Wr::write_imm(shown(&rig, 51), there(50), 1),
        Wr::read(shown(&rig, 51), there(50)),
    ] {
        let rejected = qp.post(wr, 2).unwrap_err();
        assert!(
            matches!(
                rejected.error,
                Error::WrongLength {
                    len: 51,
                    most: 50,
                    ..
                }
            ),
            "{rejected}"
        );
    }
    assert_eq!(rig.fake.posted(Queue::Send).len(), 1);
}

/// A connected queue pair with room for several buffers and inline bytes.
fn roomy(rig: &Rig) -> Qp<Rc, Rts> {
    connected(&rig.pd, &rig.cq, QpCap::new(4, 4).pieces(3, 3).inline(16))
}

#[test]
fn a_list_goes_out_as_one_request_and_comes_back_whole() {
    let mut rig = Rig::new();
    let mut qp = roomy(&rig);
    let list: BufList = [shown(&rig, 3), shown(&rig, 0), shown(&rig, 5)]
        .into_iter()
        .collect();
    qp.post(Wr::send(list), 1).unwrap();
    let posted = rig.fake.posted(Queue::Send)[0];
    assert_eq!((posted.length, posted.pieces.iter().count()), (8, 3));
    rig.fake.complete(Queue::Send, 0, 0);
    let mut done = rig.complete_all(&mut qp).unwrap();
    let list = done.remove(0).bufs.into_list().unwrap();
    let lens: Vec<_> = list.bufs().iter().map(|buf| buf.len()).collect();
    assert_eq!(lens, [3, 0, 5]);
}

#[test]
fn a_received_message_fills_a_list_from_its_beginning() {
    let mut rig = Rig::new();
    let mut qp = roomy(&rig);
    let list: BufList = (0..3).map(|_| rig.buf()).collect();
    qp.post_recv(list, 1).unwrap();
    let mut posted = rig.fake.posted(Queue::Recv)[0];
    assert_eq!(posted.length, 300);
    posted.length = 130;
    rig.fake.state().finish(posted, 0);
    let mut done = rig.complete_all(&mut qp).unwrap();
    let list = done.remove(0).bufs.into_list().unwrap();
    let lens: Vec<_> = list.bufs().iter().map(|buf| buf.len()).collect();
    assert_eq!(lens, [100, 30, 0]);
}

#[test]
fn more_buffers_than_asked_for_are_refused() {
    let rig = Rig::new();
    let mut qp = roomy(&rig);
    let list = |count| (0..count).map(|_| rig.buf()).collect::<BufList>();
    let rejected = qp.post(Wr::send(list(4)), 1).unwrap_err();
    assert!(
        matches!(
            rejected.error,
            Error::TooManyBufs {
                count: 4,
                max: 3,
                ..
            }
        ),
        "{rejected}"
    );
    assert_eq!(rejected.bufs.unwrap().as_slice().len(), 4);
    assert!(qp.post_recv(list(4), 1).is_err());
    qp.post_recv(Bufs::None, 1).unwrap();
    assert_eq!(rig.fake.posted(Queue::Recv)[0].length, 0);
}

#[test]
fn inline_bytes_need_no_buffer() {
    let mut rig = Rig::new();
    let mut qp = roomy(&rig);
    assert_eq!(qp.max_inline(), 16);
    qp.post(Wr::send_inline(b"sixteen bytes ok"), 1).unwrap();
    let rejected = qp
        .post(Wr::send_inline(b"seventeen bytes !"), 1)
        .unwrap_err();
    assert!(
        matches!(
            rejected.error,
            Error::InlineTooLong {
                len: 17,
                max: 16,
                ..
            }
        ),
        "{rejected}"
    );
    let posted = rig.fake.posted(Queue::Send)[0];
    assert_eq!((posted.length, posted.flags & 8), (16, 8));
    rig.fake.complete(Queue::Send, 0, 0);
    let done = rig.complete_all(&mut qp).unwrap();
    assert!(matches!(done[0].bufs, Bufs::None));
}

#[rstest]
#[case::send_imm(Wr::send_inline_imm(b"abc", 5), 3, 5_u32.to_be())]
#[case::send_invalidate(Wr::send_inline_invalidate(b"abc", RemoteKey::new(9)), 9, 9)]
#[case::write(Wr::write_inline(b"abc", there(3)), 0, 0)]
#[case::write_imm(Wr::write_inline_imm(b"abc", there(3), 5), 1, 5_u32.to_be())]
fn a_request_that_carries_its_bytes_is_the_same_one(
    #[case] wr: Wr<'static, Rc>,
    #[case] opcode: u32,
    #[case] imm_or_rkey: u32,
) {
    let rig = Rig::new();
    let mut qp = roomy(&rig);
    qp.post(wr, 1).unwrap();
    let posted = rig.fake.posted(Queue::Send)[0];
    let seen = (posted.opcode, posted.imm_or_rkey, posted.length);
    assert_eq!((seen, posted.flags & 8), ((opcode, imm_or_rkey, 3), 8));
}

#[test]
fn exposed_memory_stays_while_a_request_names_it() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let exposed = rig.pd.register_exposed(64, RemoteAccess::ALL).unwrap();
    let regions = rig.fake.state().regions.len();
    qp.post(Wr::read(exposed.part(8..24).unwrap(), there(16)), 1)
        .unwrap();
    assert_eq!(rig.fake.posted(Queue::Send)[0].length, 16);
    drop(exposed);
    assert_eq!(
        rig.fake.state().regions.len(),
        regions,
        "its keys could become another's"
    );
    rig.fake.complete(Queue::Send, 0, 0);
    drop(rig.complete_all(&mut qp).unwrap());
    assert_eq!(rig.fake.state().regions.len(), regions - 1);
}

#[test]
fn exposed_memory_of_another_domain_is_refused() {
    let rig = Rig::new();
    let other = rig.context.alloc_pd().unwrap();
    let exposed = other.register_exposed(64, RemoteAccess::NONE).unwrap();
    let mut qp = rig.qp();
    let part = exposed.part(0..64).unwrap();
    let rejected = qp.post(Wr::send(part), 1).unwrap_err();
    assert!(
        matches!(rejected.error, Error::OtherPd { .. }),
        "{rejected}"
    );
    let mut batch = qp.batch();
    assert!(batch.push(Wr::send(part), 1).is_err());
}

fn datagrams(pd: &Pd, cq: &Cq) -> Qp<Ud, Rts> {
    let qp = pd.create_ud(cq, cq, DEPTH).unwrap();
    let qp = qp.init(PortNum::FIRST, Qkey::new(0x1111)).unwrap();
    qp.rtr().unwrap().rts(Psn::new(2).unwrap()).unwrap()
}

#[test]
fn an_address_stays_while_datagrams_may_use_it() {
    let mut rig = Rig::new();
    let mut qp = datagrams(&rig.pd, &rig.cq);
    let to = |pd: &Pd| {
        let ah = pd.create_ah(&Path::from(PortNum::FIRST)).unwrap();
        Datagram::new(ah, Qpn::new(17).unwrap(), Qkey::new(0x1111))
    };
    let first = to(&rig.pd);
    qp.post(Wr::send_to(shown(&rig, 4), &first), 1).unwrap();
    drop(first);
    assert_eq!(rig.fake.state().count("destroy_ah"), 0);
    let other = rig.context.alloc_pd().unwrap();
    let rejected = qp
        .post(Wr::send_to(shown(&rig, 4), &to(&other)), 2)
        .unwrap_err();
    assert!(
        matches!(rejected.error, Error::OtherPd { .. }),
        "{rejected}"
    );
    rig.fake.complete(Queue::Send, 0, 0);
    drop(rig.complete_all(&mut qp).unwrap());
    drop(qp);
    assert_eq!(rig.fake.state().count("destroy_ah"), 2);
}

#[test]
fn a_datagram_is_no_longer_than_a_packet() {
    let rig = Rig::new();
    let memory = rig.pd.register_local(1, 2000).unwrap();
    let mut qp = datagrams(&rig.pd, &rig.cq);
    let ah = rig.pd.create_ah(&Path::from(PortNum::FIRST)).unwrap();
    let to = Datagram::new(ah, Qpn::new(17).unwrap(), Qkey::new(0x1111));
    let rejected = qp
        .post(Wr::send_to(memory.take().unwrap(), &to), 1)
        .unwrap_err();
    assert!(
        matches!(rejected.error, Error::MessageTooLong { max: 1024, .. }),
        "{rejected}"
    );
}

#[test]
fn a_received_datagram_has_a_header_before_it() {
    let mut rig = Rig::new();
    let mut qp = datagrams(&rig.pd, &rig.cq);
    qp.post_recv(rig.buf(), 1).unwrap();
    let mut posted = rig.fake.posted(Queue::Recv)[0];
    posted.length = 43;
    rig.fake.state().finish(posted, 0x5a);
    let done = rig.complete_all(&mut qp).unwrap();
    assert_eq!(
        (done[0].message(), done[0].received_len()),
        (&[0x5a; 3][..], 43)
    );
    assert_eq!(done[0].source(), Some(Qpn::new(0).unwrap()));
    assert_eq!(done[0].header(), None, "the driver said that there is none");
}

/// Each type of queue pair is made as what it is, and takes its own steps.
#[test]
fn unreliable_queue_pairs_are_asked_for_nothing_they_have_not() {
    fn name<T: QpType + Connected>(_: &Qp<T, Rts>) -> &'static str {
        T::NAME
    }
    let rig = Rig::new();
    let qp = rig.pd.create_uc(&rig.cq, &rig.cq, DEPTH).unwrap();
    let qp = qp.init(PortNum::FIRST).unwrap();
    let qp = qp.rtr(&RtrAttr::new(peer(), Mtu::B1024)).unwrap();
    let mut qp = qp.rts(&RtsAttr::new(Psn::new(2).unwrap())).unwrap();
    assert_eq!(name(&qp), "UC");
    qp.post(Wr::write(shown(&rig, 4), there(4)), 1).unwrap();
    qp.post(Wr::send(shown(&rig, 4)), 2).unwrap();
    assert_eq!(rig.fake.posted(Queue::Send).len(), 2);
}

#[test]
fn only_exposed_memory_has_remote_rights() {
    let rig = Rig::new();
    let exposed = rig
        .pd
        .register_exposed(64, RemoteAccess::READ | RemoteAccess::ATOMIC)
        .unwrap();
    let rights: Vec<_> = rig
        .fake
        .state()
        .regions
        .iter()
        .map(|region| region.access)
        .collect();
    assert_eq!(rights, [1, 0b1101]);
    assert_eq!(
        (exposed.len(), exposed.words().len(), exposed.remote().len()),
        (64, 8, 64)
    );
}

#[test]
fn a_window_has_a_new_key_each_time_and_keeps_its_memory() {
    let mut rig = Rig::new();
    let mut qp = rig.qp();
    let exposed = rig.pd.register_exposed(64, RemoteAccess::WINDOWS).unwrap();
    let mut window = exposed.alloc_window().unwrap();
    let first = window.key();
    assert!(Wr::bind(&mut window, 8..65, RemoteAccess::READ).is_err());
    let (wr, there) = Wr::bind(&mut window, 8..24, RemoteAccess::READ).unwrap();
    qp.post_bind(wr, 1).unwrap();
    assert_eq!(
        (there.len(), there.addr()),
        (16, exposed.remote().addr() + 8)
    );
    assert_eq!(window.key(), there.key());
    assert_ne!(window.key(), first);
    qp.post(Wr::invalidate(&window), 2).unwrap();
    let posted = rig.fake.posted(Queue::Send);
    assert_eq!(posted[1].imm_or_rkey, there.key().number());
    assert_eq!((posted[0].opcode, posted[1].opcode), (8, 7));
    let regions = rig.fake.state().regions.len();
    drop((exposed, window));
    assert_eq!(rig.fake.state().count("dealloc_mw"), 1);
    assert_eq!(
        rig.fake.state().regions.len(),
        regions,
        "a request still names it"
    );
    rig.fake.complete(Queue::Send, 0, 0);
    drop(rig.complete_all(&mut qp).unwrap());
    assert_eq!(rig.fake.state().regions.len(), regions - 1);
}

#[test]
fn a_window_that_was_not_bound_keeps_its_key() {
    let rig = Rig::new();
    let mut qp = rig.qp();
    let exposed = rig.pd.register_exposed(64, RemoteAccess::WINDOWS).unwrap();
    let mut window = exposed.alloc_window().unwrap();
    let first = window.key();
    rig.fail_next_post(libc::ENOMEM, BadWr::Own, false);
    let (wr, _) = Wr::bind(&mut window, 0..64, RemoteAccess::READ).unwrap();
    assert!(qp.post_bind(wr, 1).is_err());
    assert_eq!(window.key(), first);
}
