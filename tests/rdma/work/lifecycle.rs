//! What happens beside the work: starting again, and being told of it.

use super::*;

#[test]
fn a_queue_pair_that_was_reset_talks_again() {
    gate(|lab| {
        let rxe = lab.rxe();
        let manner = manners()[1];
        let (mut a, mut b) = sides(&rxe, manner, reliable);
        for round in 0..5_u64 {
            for token in 0..4 {
                b.qp.post_recv(b.memory.take().unwrap(), token).unwrap();
            }
            a.qp.post(Wr::send(a.filled(100, 1)), round).unwrap();
            well(&a.wait(1), round);
            well(&b.wait(1), round);
            let (free, returned) = b.qp.reset().unwrap();
            let tokens: Vec<u64> = returned.iter().map(|returned| returned.token).collect();
            assert_eq!(tokens, [1, 2, 3], "{round}");
            let (again, _) = a.qp.reset().unwrap();
            let init = |qp: Qp<Rc, Reset>| qp.init(PORT).unwrap();
            let context = open(&rxe);
            (a.qp, b.qp) = connect(&context, index(&rxe), init(again), init(free));
            drop(returned);
            // The old room is free once the queues were seen empty.
            assert_eq!(a.cq.poll().unwrap().len() + b.cq.poll().unwrap().len(), 0);
        }
    });
}

#[test]
fn an_armed_queue_says_so_for_solicited_messages_alone_when_asked() {
    gate(|lab| {
        let rxe = lab.rxe();
        let manner = Manner {
            has_events: true,
            ..manners()[1]
        };
        let (mut a, mut b) = sides(&rxe, manner, reliable);
        b.post_recv(b.memory.take().unwrap(), 1);
        b.post_recv(b.memory.take().unwrap(), 2);
        let channel = b.cq.channel().unwrap();
        b.cq.arm(Arm::Solicited).unwrap();
        a.qp.post(Wr::send(a.filled(1, 1)), 1).unwrap();
        well(&a.wait(1), "quiet");
        assert_eq!(
            channel.wait(std::time::Duration::from_millis(50)).unwrap(),
            None
        );
        a.qp.post(Wr::send(a.filled(1, 1)).solicited(), 1).unwrap();
        well(&a.wait(1), "solicited");
        assert_eq!(channel.wait(PATIENCE).unwrap(), Some(b.cq.number()));
        well(&b.wait(2), "both");
    });
}
