//! Waiting for completions in a tokio runtime.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::process::Command;
use std::task::Poll;
use std::time::Duration;

use lab_tests::gate;
use netprims_rdma::{AsyncCq, Queue};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::pair::{connect, index, open};
use super::{DEPTH, PATIENCE, PORT};

/// Whether a future is ready when it is asked once.
async fn is_ready<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[test]
fn futures_dropped_at_any_point_lose_no_completion() {
    gate(|lab| {
        let rxe = lab.rxe();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let messages = lab.volume(300, 20_000);
        let body = async {
            let context = open(&rxe);
            let pd = context.alloc_pd().unwrap();
            let memory = pd.register_local(16, 64).unwrap();
            let mut cq = AsyncCq::new(context.create_cq_with_events(32).unwrap()).unwrap();
            let new = || pd.create_rc(cq.cq(), cq.cq(), DEPTH).unwrap();
            let (a, b) = (new().init(PORT).unwrap(), new().init(PORT).unwrap());
            let (mut a, mut b) = connect(&context, index(&rxe), a, b);
            let (mut received, mut dropped) = (Vec::new(), 0);
            for token in 0..messages {
                b.post_recv(memory.take().unwrap(), token).unwrap();
                // One that has asked for an event, since there is nothing, and goes.
                dropped += u64::from(!is_ready(pin!(cq.poll())).await);
                a.post_send(memory.take().unwrap(), token).unwrap();
                let mut left = 2;
                while left > 0 {
                    let patience = Duration::from_micros(token * 37 % 400);
                    let Ok(completions) = timeout(patience, cq.poll()).await else {
                        continue;
                    };
                    for mut completion in completions.unwrap() {
                        let qp = if a.owns(&completion) { &mut a } else { &mut b };
                        while let Some(done) = qp.complete(&mut completion).unwrap() {
                            done.check().unwrap();
                            left -= 1;
                            if done.queue == Queue::Recv {
                                received.push(done.token);
                            }
                        }
                    }
                }
            }
            assert_eq!(dropped, messages);
            received
        };
        let limited = async { timeout(PATIENCE, body).await };
        let received = runtime.block_on(limited).expect("it never woke");
        assert_eq!(received, (0..messages).collect::<Vec<u64>>());
    });
}

#[test]
fn the_example_echoes() {
    gate(|lab| {
        let rxe = lab.rxe();
        let messages = lab.volume(50, 5000).to_string();
        let mut command = Command::new(lab.program("tokio_rdma"));
        command.args(["--device", rxe.device(), "--messages", &messages]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            said.trim(),
            format!("{messages} messages of 4096 bytes came back")
        );
    });
}
