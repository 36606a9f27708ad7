//! Ping-pongs over RDMA, which play with rdma-core's `ibv_rc_pingpong`, `ibv_uc_pingpong`,
//! `ibv_ud_pingpong` and `ibv_srq_pingpong`.
//!
//! The programs `rc_pingpong`, `uc_pingpong`, `ud_pingpong` and `srq_pingpong` are each a call of
//! [`program()`]; the command `netprims rdma ping` plays the same [`Game`] by a meeting of its own.
//! Read in this order:
//!
//! 1. [`Plan`]: what is to be played.
//! 2. [`Side`]: one side, up to the point where it must know the other: a device, memory, queue pairs
//!    with their receives posted.
//! 3. `link.rs`: what differs between the types of queue pairs.
//! 4. [`Meeting`]: how the sides tell each other their queue pairs, as rdma-core's programs do.
//! 5. [`Game`]: the messages, to and fro.

mod arrivals;
mod game;
mod latencies;
mod link;
mod meeting;
mod payload;
mod plan;
mod program;
mod side;

pub use game::{Game, Score};
pub use latencies::Latencies;
pub use meeting::{Meeting, listen, reach};
pub use payload::Checked;
pub use plan::{Kind, Plan, Role};
pub use program::program;
pub use side::Side;
