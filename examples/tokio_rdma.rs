//! An echo over a reliable connection in a tokio runtime: two tasks with a queue pair each, on one device.
//!
//! ```text
//! tokio_rdma                       on the first device
//! tokio_rdma --device NAME
//! ```
//!
//! Two things to take from it: a task waits for completions beside other things (`select!`: what the future that loses
//! had fetched comes with the next), and buffers go round, since what was received is what is sent back.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use netprims_rdma::{
    AsyncCq, Context, Device, Done, Endpoint, GidChoice, Init, Mr, Pd, PortNum, Psn, Qp, QpCap,
    Queue, Rc, RtrAttr, Rts, RtsAttr,
};
use tokio::time::interval;

const PORT: PortNum = PortNum::FIRST;
const DEPTH: QpCap = QpCap::new(4, 4);

/// An echo over a reliable connection in a tokio runtime.
#[derive(Clone, Parser)]
struct Args {
    /// RDMA device; the first one if none is named
    #[arg(long)]
    device: Option<String>,
    /// How many messages
    #[arg(long, default_value_t = 1000)]
    messages: u64,
    /// Bytes per message
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(8..=1_048_576))]
    size: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let device = match &args.device {
        Some(name) => Device::by_name(name)?,
        None => Device::first()?,
    };
    let context = device.open()?;
    let pd = context.alloc_pd()?;
    let gid = context.select_gid(PORT)?;
    let (near, far) = (
        Half::new(&context, &pd, args.size)?,
        Half::new(&context, &pd, args.size)?,
    );
    let (near_end, far_end) = (
        near.endpoint(&context, &gid)?,
        far.endpoint(&context, &gid)?,
    );
    let (near, far) = (
        near.connect(&context, &gid, far_end)?,
        far.connect(&context, &gid, near_end)?,
    );
    let echo = tokio::spawn(far.echo(args.messages));
    near.ask(args.messages).await?;
    echo.await??;
    println!(
        "{} messages of {} bytes came back",
        args.messages, args.size
    );
    Ok(())
}

/// One side of the connection before it is one.
struct Half {
    cq: AsyncCq,
    memory: Mr,
    qp: Qp<Rc, Init>,
    psn: Psn,
}

impl Half {
    fn new(context: &Context, pd: &Pd, size: u32) -> Result<Self> {
        let cq = AsyncCq::new(context.create_cq_with_events(8)?)?;
        let memory = pd.register_local(4, size)?;
        let mut qp = pd.create_rc(cq.cq(), cq.cq(), DEPTH)?.init(PORT)?;
        // Before the other side can send anything.
        for buf in memory.take().into_iter().chain(memory.take()) {
            qp.post_recv(buf, 0)?;
        }
        Ok(Half {
            cq,
            memory,
            qp,
            psn: Psn::new(0)?,
        })
    }

    fn endpoint(&self, context: &Context, gid: &GidChoice) -> Result<Endpoint> {
        let lid = context.query_port(PORT)?.lid;
        Ok(Endpoint::new(self.qp.number(), self.psn)
            .at_lid(lid)
            .at_gid(gid.entry.gid))
    }

    fn connect(self, context: &Context, gid: &GidChoice, peer: Endpoint) -> Result<Side> {
        let mtu = context.query_port(PORT)?.active_mtu;
        let qp = self.qp.rtr(&RtrAttr::new(peer, mtu).via_gid(gid.index))?;
        Ok(Side {
            cq: self.cq,
            memory: self.memory,
            qp: qp.rts(&RtsAttr::new(self.psn))?,
        })
    }
}

/// One side of the connection.
struct Side {
    cq: AsyncCq,
    memory: Mr,
    qp: Qp<Rc, Rts>,
}

impl Side {
    /// Waits for completions, and says what is over.
    async fn next(&mut self) -> Result<Vec<Done>> {
        let mut over = Vec::new();
        for mut completion in self.cq.poll().await? {
            while let Some(done) = self.qp.complete(&mut completion)? {
                done.check()?;
                over.push(done);
            }
        }
        Ok(over)
    }

    /// Sends back what comes.
    async fn echo(mut self, messages: u64) -> Result<()> {
        let mut sent = 0;
        while sent < messages {
            for done in self.next().await? {
                match done.queue {
                    Queue::Recv => self.qp.post(netprims_rdma::Wr::send(done.bufs), 0)?,
                    Queue::Send => {
                        self.qp.post_recv(done.bufs, 0)?;
                        sent += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends one message after the other, each when the one before has come back.
    async fn ask(mut self, messages: u64) -> Result<()> {
        let mut tick = interval(Duration::from_secs(1));
        for number in 0..messages {
            let Some(mut question) = self.memory.take() else {
                anyhow::bail!("a buffer is lost");
            };
            question[..8].copy_from_slice(&number.to_le_bytes());
            self.qp.post_send(question, number)?;
            let (mut is_sent, mut is_answered) = (false, false);
            while !(is_sent && is_answered) {
                let over = tokio::select! {
                    over = self.next() => over?,
                    _ = tick.tick() => {
                        eprintln!("{number} of {messages}");
                        continue;
                    }
                };
                for done in over {
                    is_sent |= done.queue == Queue::Send;
                    if done.queue == Queue::Recv {
                        ensure!(
                            done.message()[..8] == number.to_le_bytes(),
                            "another answer"
                        );
                        is_answered = true;
                        self.qp.post_recv(done.bufs, 0)?;
                    }
                }
            }
        }
        Ok(())
    }
}
