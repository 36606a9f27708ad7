//! Random work on a device that does at random what devices must not.
//!
//! After every step the device writes to everything it believes it has. Neither free slots nor the
//! buffers that the program holds may change by that.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rstest::rstest;

use super::*;
use crate::sys::defect::{self, Defect};
use crate::sys::fake::Posted;

const PATTERN: u8 = 0xa5;

#[derive(Clone, Debug)]
enum Step {
    PostSend {
        signalled: bool,
    },
    PostRecv,
    /// A post that fails: what the library says, and what the device does.
    FailPost {
        recv: bool,
        bad_wr: u8,
        queued: bool,
        negative: bool,
    },
    /// Some send ends, in order or not.
    CompleteSend {
        index: usize,
        in_order: bool,
    },
    /// Some receive ends.
    CompleteRecv(usize),
    /// A completion arrives again.
    Repeat(usize),
    /// A completion of nothing arrives.
    Forge(u64),
    Flush,
    /// Takes some of what a poll yields, each to the end or not, and drops the rest.
    Poll {
        take: usize,
        to_the_end: bool,
    },
    /// A completion is lost.
    Lose,
    /// Gives back a buffer that the program holds.
    DropOne,
    Reconnect {
        destroyable: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => any::<bool>().prop_map(|signalled| Step::PostSend { signalled }),
        6 => Just(Step::PostRecv),
        2 => any::<(bool, u8, bool, bool)>().prop_map(|(recv, bad_wr, queued, negative)| {
            Step::FailPost { recv, bad_wr, queued, negative }
        }),
        6 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(index, in_order)| {
            Step::CompleteSend { index, in_order }
        }),
        6 => any::<usize>().prop_map(Step::CompleteRecv),
        1 => any::<usize>().prop_map(Step::Repeat),
        1 => any::<u64>().prop_map(Step::Forge),
        1 => Just(Step::Flush),
        6 => (prop_oneof![Just(usize::MAX), 0..3usize], prop::bool::weighted(0.9))
            .prop_map(|(take, to_the_end)| Step::Poll { take, to_the_end }),
        1 => Just(Step::Lose),
        3 => Just(Step::DropOne),
        2 => prop::bool::weighted(0.8).prop_map(|destroyable| Step::Reconnect { destroyable }),
    ];
    prop::collection::vec(step, 0..60)
}

/// The program's side.
struct Program {
    rig: Rig,
    qp: Option<Qp<Rc, Rts>>,
    held: Vec<Buf>,
    finished: Vec<Posted>,
}

impl Program {
    fn post(&mut self, recv: bool, signalled: bool) {
        let Some(qp) = &mut self.qp else { return };
        let Some(buf) = self.rig.memory.take() else {
            return;
        };
        let result = match (recv, signalled) {
            (true, _) => qp.post_recv(buf, 0),
            (false, true) => qp.post_send(buf, 0),
            (false, false) => qp.post(Wr::send(buf).unsignalled(), 0),
        };
        if let Err(rejected) = result {
            self.held.extend(rejected.into_buf());
        }
    }

    fn finish(&mut self, queue: Queue, index: usize) {
        let posted = self.rig.fake.posted(queue);
        if posted.is_empty() {
            return;
        }
        let index = index % posted.len();
        self.finished.push(posted[index]);
        self.rig.fake.complete(queue, index, 0x22);
    }

    fn poll(&mut self, take: usize, to_the_end: bool) {
        for mut completion in self.rig.cq.poll().unwrap().take(take) {
            let Some(qp) = &mut self.qp else { continue };
            while let Ok(Some(done)) = qp.complete(&mut completion) {
                self.held.push(done.into_buf().unwrap());
                if !to_the_end {
                    break;
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::PostSend { signalled } => self.post(false, signalled),
            Step::PostRecv => self.post(true, true),
            Step::FailPost {
                recv,
                bad_wr,
                queued,
                negative,
            } => {
                let result = if negative {
                    -libc::EINVAL
                } else {
                    libc::EINVAL
                };
                match bad_wr % 3 {
                    // What a library names as failed it has not queued.
                    0 => self.rig.fail_next_post(result, BadWr::Own, false),
                    1 => self.rig.fail_next_post(result, BadWr::Null, queued),
                    _ => self.rig.fail_next_post(result, BadWr::Foreign, queued),
                }
                self.post(recv, true);
                self.rig.fake.state().fail_next_post = None;
            }
            Step::CompleteSend { in_order: true, .. } => self.finish(Queue::Send, 0),
            Step::CompleteSend { index, .. } => self.finish(Queue::Send, index),
            Step::CompleteRecv(index) => self.finish(Queue::Recv, index),
            Step::Repeat(index) => {
                if let Some(&posted) = self.finished.get(index % self.finished.len().max(1)) {
                    self.rig.fake.state().report(posted, 0);
                }
            }
            Step::Forge(wr_id) => {
                let mut state = self.rig.fake.state();
                let template = state.posted.front().copied();
                if let Some(mut forged) = template {
                    forged.wr_id = wr_id;
                    if state.posted.iter().all(|posted| posted.wr_id != wr_id) {
                        state.report(forged, 0);
                    }
                }
            }
            Step::Flush => {
                let posted: Vec<Posted> = self.rig.fake.state().posted.iter().copied().collect();
                self.finished.extend(posted);
                self.rig.fake.state().flush();
            }
            Step::Poll { take, to_the_end } => self.poll(take, to_the_end),
            Step::Lose => self.rig.fake.state().lose_completions(),
            Step::DropOne => drop(self.held.pop()),
            Step::Reconnect { destroyable } => {
                self.rig.fake.state().refuse_destroy_qp = !destroyable;
                self.qp = None;
                self.rig.fake.state().refuse_destroy_qp = false;
                // Leaked ones keep their room, so there may be none left.
                if self.rig.cq.handle().reserved() <= 24 {
                    self.qp = Some(self.rig.qp());
                }
            }
        }
    }

    fn device_writes(&mut self) -> Result<(), TestCaseError> {
        let region = self.rig.memory.region();
        region.fill_free(PATTERN);
        for buf in &mut self.held {
            buf.set_len(buf.capacity());
            buf.fill(PATTERN);
        }
        let posted: Vec<Posted> = self.rig.fake.state().posted.iter().copied().collect();
        for work in posted {
            self.rig.fake.write(work, 0x11);
        }
        prop_assert_eq!(region.free_but_changed(PATTERN), [0u32; 0]);
        for buf in &self.held {
            prop_assert!(
                buf.iter().all(|&byte| byte == PATTERN),
                "slot {} is ours",
                buf.slot()
            );
        }
        prop_assert_eq!(self.rig.fake.state().refused_dma, 0);
        Ok(())
    }
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let rig = Rig::new();
    let qp = Some(rig.qp());
    let mut program = Program {
        rig,
        qp,
        held: Vec::new(),
        finished: Vec::new(),
    };
    for step in steps {
        program.step(step);
        program.device_writes()?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_device_never_has_what_the_program_or_the_pool_has(steps in steps()) {
        run(steps)?;
    }
}

#[rstest]
#[case(Defect::FreeAtPost)]
#[case(Defect::RetireReceivesByPrefix)]
#[case(Defect::ReuseTag)]
#[case(Defect::HandBackAfterFailedPost)]
#[case(Defect::TakeRepeatedCompletions)]
#[case(Defect::FreeBeforeDestroy)]
fn random_work_finds_the_bug(#[case] bug: Defect) {
    let config = Config {
        cases: 5000,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&steps(), |steps| defect::with(Some(bug), || run(steps)));
    assert!(
        outcome.is_err(),
        "5000 random programs did not notice {bug:?}"
    );
}
