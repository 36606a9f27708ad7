//! No allocation per call in steady state.

use netprims::datagram::{Details, Outgoing, ReceiveBatch, SendBatch, TrafficClass};
use netprims::timestamp;
use netprims::tuning::{Timestamping, Tuning};

use crate::sys::counting_allocator::allocations;
use crate::{pair, tune};

#[test]
fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1);
}

#[test]
fn sending_and_receiving_allocates_nothing() {
    let (near, far) = pair("127.0.0.1:0");
    let stamps = Timestamping::RX_SOFTWARE.and(Timestamping::SOFTWARE);
    tune(&far, Tuning::new().udp_gro(true).timestamping(stamps));
    Details::DESTINATION
        .and(Details::TRAFFIC_CLASS)
        .and(Details::DROPS)
        .request(&far)
        .unwrap();
    let to = far.local_addr().unwrap();
    let payload = vec![1; 20_000];
    let mut sender = SendBatch::new(4).unwrap();
    let mut batch = ReceiveBatch::new(4, ReceiveBatch::LARGEST).unwrap();
    let mut bytes = 0;
    let mut datagrams = 0;

    let before = allocations();
    for _ in 0..500 {
        let messages = payload.chunks(7000).map(|chunk| {
            let message = Outgoing::new(chunk).to(to).segment(1000);
            message
                .from(to.ip())
                .traffic_class(TrafficClass::from_byte(2))
        });
        let sent = sender.send(&near, messages).unwrap();
        assert_eq!(sent.datagrams(), 20);
        loop {
            for incoming in batch.receive(&far).unwrap() {
                assert!(incoming.destination().is_some() && incoming.peer().is_some());
                datagrams += incoming.datagrams().len();
                bytes += incoming.bytes().len();
            }
            if bytes % 20_000 == 0 {
                break;
            }
        }
        // Nothing there is the end of each turn of an event loop.
        assert!(batch.try_receive(&far).unwrap().is_empty());
    }
    assert_eq!(allocations() - before, 0);
    assert_eq!((datagrams, bytes), (500 * 20, 500 * 20_000));

    let mut buffer = [0; 16];
    near.send(b"x").unwrap();
    let before = allocations();
    assert_eq!(
        timestamp::receive(&far, &mut buffer)
            .unwrap()
            .unwrap()
            .bytes(),
        1
    );
    far.set_nonblocking(true).unwrap();
    assert_eq!(timestamp::receive(&far, &mut buffer).unwrap(), None);
    assert_eq!(allocations() - before, 0);
}
