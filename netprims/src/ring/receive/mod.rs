//! Receiving over a ring: the memory, what is lent of it, and how the kernel does it.

mod buf;
mod chunk;
mod end;
mod message;
mod plan;
mod pool;
mod queue;
mod report;
mod ring;
mod stats;

pub use buf::RxBuf;
pub use chunk::Chunk;
pub use end::ReceiveEnd;
pub use plan::{Rung, RxPlan};
pub use pool::RxPool;
pub use report::{Declined, RxReport, Wanted, WhyNot};
pub use stats::RxStats;
