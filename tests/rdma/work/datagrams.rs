//! Datagrams.

use super::*;

/// Two datagram queue pairs, and the way from the first to the second.
pub(crate) fn datagrams(rxe: &Rxe, manner: Manner) -> (Side<Ud>, Side<Ud>, Datagram) {
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
