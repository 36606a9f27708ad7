//! Datagrams to groups.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use lab_tests::Rxe;
use netprims_rdma::{GidIndex, Group};

use super::datagrams::datagrams;
use super::*;

/// Has the kernel loop what this host sends to the group back to it: Soft-RoCE asks for nothing but the
/// Ethernet address.
fn join(group: IpAddr, rxe: &Rxe) -> UdpSocket {
    match group {
        IpAddr::V4(group) => {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            socket.join_multicast_v4(&group, &rxe.address()).unwrap();
            socket
        }
        IpAddr::V6(group) => {
            let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
            let index = std::fs::read_to_string(format!("/sys/class/net/{}/ifindex", rxe.netdev()));
            let index = index.unwrap().trim().parse().unwrap();
            socket.join_multicast_v6(&group, index).unwrap();
            socket
        }
    }
}

#[rstest]
#[case::ipv4("239.77.1.2", 1)]
#[case::ipv6("ff02::7712", 0)]
fn what_is_sent_to_a_group_reaches_all_that_are_attached_and_no_others(
    #[case] address: IpAddr,
    #[case] own: u8,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        let group = Group::of(address).unwrap();
        let _joined = join(address, &rxe);
        let (mut a, mut b, _) = datagrams(&rxe, manners()[1]);
        let (mut c, mut d, _) = datagrams(&rxe, manners()[1]);
        let path = Path::from(PORT).to_group(group, GidIndex::new(own));
        let to = Datagram::to_group(a.qp.pd().create_ah(&path).unwrap(), QKEY);
        for side in [&mut b, &mut c, &mut d] {
            for token in 0..2 {
                side.post_recv(side.memory.take().unwrap(), token);
            }
        }
        b.qp.attach(group).unwrap();
        c.qp.attach(group).unwrap();
        a.qp.post(Wr::send_to(a.filled(300, 9), &to), 1).unwrap();
        well(&a.wait(1), "sent");
        for side in [&mut b, &mut c] {
            let received = side.wait(1);
            well(&received, "received");
            assert_eq!(received[0].message().len(), 300);
            assert!(is_pattern(received[0].message(), 9));
            assert_eq!(received[0].source(), Some(a.qp.number()));
        }
        b.qp.detach(group).unwrap();
        a.qp.post(Wr::send_to(a.filled(200, 8), &to), 2).unwrap();
        well(&a.wait(1), "sent again");
        assert_eq!(c.wait(1)[0].message().len(), 200);
        std::thread::sleep(Duration::from_millis(50));
        for side in [&mut b, &mut d] {
            assert_eq!(side.cq.poll().unwrap().len(), 0);
        }
        // `c` is still attached when it ends.
    });
}
