//! Datagrams, their headers and sources.

use super::*;

/// Two datagram queue pairs, and the way from the first to the second.
fn datagrams(rxe: &Rxe, manner: Manner) -> (Side<Ud>, Side<Ud>, Datagram) {
    let side = || {
        let parts = Parts::new(rxe, manner);
        let Parts { pd, cq, srq, .. } = &parts;
        let qp = match srq {
            Some(srq) => pd.create_ud_with_srq(cq, cq, srq, Parts::cap()),
            None => pd.create_ud(cq, cq, Parts::cap()),
        };
        let qp: Qp<Ud, Init> = qp.unwrap().init(PORT, QKEY).unwrap();
        let qp = qp.rtr().unwrap().rts(Psn::new(3).unwrap()).unwrap();
        let gid = parts.context.query_gid(PORT, index(rxe)).unwrap().gid;
        let ah = parts
            .pd
            .create_ah(&Path::from(PORT).to_gid(gid, index(rxe)))
            .unwrap();
        (parts.finish(qp), ah)
    };
    let ((a, ah), (b, _)) = (side(), side());
    let to = Datagram::new(ah, b.qp.number(), QKEY);
    (a, b, to)
}

#[test]
fn datagrams_arrive_in_every_manner_with_a_header_and_their_source() {
    gate(|lab| {
        let rxe = lab.rxe();
        let mut cells = 0;
        for manner in manners() {
            let (mut a, mut b, to) = datagrams(&rxe, manner);
            let all = lens(manner).iter().filter(|len| **len <= 1024);
            for (seed, &len) in (1_u8..).zip(all) {
                for imm in [None, Some(77)] {
                    let cell = (manner, len, imm);
                    b.post_recv(b.memory.take().unwrap(), 7);
                    b.post_recv(b.memory.take().unwrap(), 8);
                    let inline: Vec<u8> = pattern(seed).take(len).collect();
                    let exposed = a.exposed.clone();
                    exposed.copy_in(0, &inline).unwrap();
                    let wr = match (manner.local, imm) {
                        (LocalSide::Inline, _) => Wr::send_inline_to(&inline, &to),
                        (LocalSide::One, None) => Wr::send_to(a.filled(len, seed), &to),
                        (LocalSide::One, Some(imm)) => {
                            Wr::send_imm_to(a.filled(len, seed), imm, &to)
                        }
                        (LocalSide::Several, None) => Wr::send_to(cut(&a, len, seed), &to),
                        (LocalSide::Several, Some(imm)) => {
                            Wr::send_imm_to(cut(&a, len, seed), imm, &to)
                        }
                        (LocalSide::Exposed, None) => {
                            Wr::send_to(exposed.part(0..len).unwrap(), &to)
                        }
                        (LocalSide::Exposed, Some(imm)) => {
                            Wr::send_imm_to(exposed.part(0..len).unwrap(), imm, &to)
                        }
                    };
                    post(&mut a, manner, wr, Wr::send_to(Bufs::None, &to));
                    well(&a.wait(2), cell);
                    let received = b.wait(2);
                    well(&received, cell);
                    let first = received.iter().find(|done| done.token == 7).unwrap();
                    let bytes = &first.bufs.as_slice()[0];
                    assert_eq!(bytes.len(), 40 + len, "{cell:?}");
                    assert!(is_pattern(&bytes[40..], seed), "{cell:?}");
                    let wanted = imm.filter(|_| manner.local != LocalSide::Inline);
                    assert_eq!(first.imm(), wanted, "{cell:?}");
                    if !manner.has_srq {
                        assert_eq!(first.message(), &bytes[40..], "{cell:?}");
                        assert_eq!(first.source(), Some(a.qp.number()), "{cell:?}");
                        assert!(first.header().is_some(), "{cell:?}");
                    }
                    cells += 1;
                }
            }
        }
        println!("UD: {cells} cells");
    });
}

#[test]
fn a_datagram_with_another_key_does_not_arrive() {
    gate(|lab| {
        let rxe = lab.rxe();
        let (mut a, mut b, to) = datagrams(&rxe, manners()[1]);
        b.post_recv(b.memory.take().unwrap(), 7);
        let wrong = Datagram::new(to.ah.clone(), to.qpn, Qkey::new(0x2222));
        a.qp.post(Wr::send_to(a.filled(10, 1), &wrong), 1).unwrap();
        a.qp.post(Wr::send_to(a.filled(20, 2), &to), 2).unwrap();
        well(&a.wait(2), "sent");
        let received = b.wait(1);
        assert_eq!(received[0].message().len(), 20);
        assert_eq!(b.qp.in_flight(Queue::Recv), 0);
    });
}
