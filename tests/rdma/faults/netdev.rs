//! A network device that goes away under its RDMA device.

use std::process::Command;
use std::time::{Duration, Instant};

use lab_tests::gate;
use netprims_rdma::{Error, Leaks, leaks};

use crate::PATIENCE;
use crate::pair::{Pair, drain};

/// Posts, polls and drops go on without a panic and without an end; every buffer comes back, or is counted; and nothing
/// keeps the device from going.
#[test]
fn a_netdev_that_is_deleted_takes_nothing_along() {
    gate(|lab| {
        let rxe = lab.rxe();
        let Pair {
            context,
            pd,
            mut cq,
            memory,
            mut a,
            mut b,
        } = Pair::new(&rxe, 4096, |_, _, _| ());
        for token in 0..8 {
            b.post_recv(memory.take().unwrap(), token).unwrap();
            a.post_send(memory.take().unwrap(), token).unwrap();
        }
        // It waits for those who use the device.
        let mut delete = Command::new("ip")
            .args(["link", "delete", rxe.netdev()])
            .spawn()
            .unwrap();
        let start = Instant::now();
        let mut said = Vec::new();
        while start.elapsed() < Duration::from_secs(2) {
            for qp in [&mut a, &mut b] {
                if let (false, Some(buf)) = (qp.has_failed(), memory.take()) {
                    match qp.post_send(buf, 100).map_err(Error::from) {
                        Ok(()) | Err(Error::QueueFull { .. }) => {}
                        Err(error) => said.push(error.to_string()),
                    }
                }
            }
            for mut completion in cq.poll().unwrap() {
                let qp = if a.owns(&completion) { &mut a } else { &mut b };
                while let Some(done) = qp.complete(&mut completion).unwrap() {
                    if !done.status.is_success() {
                        said.push(done.status.to_string());
                    }
                }
            }
        }
        said.dedup();
        println!("{said:?}");
        for qp in [a, b] {
            match qp.stop() {
                Ok(mut qp) => drop(drain(&mut cq, &mut qp)),
                Err(failed) => println!("{failed}"),
            }
        }
        assert_eq!(super::free(&memory), 32);
        drop((cq, memory, pd, context));
        assert_eq!(leaks(), Leaks::default());
        let start = Instant::now();
        while delete.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "the netdev is still there");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(!lab.sh("ip link").contains(rxe.netdev()));
    });
}
