//! Echo servers, each a process of its own, under one load.

mod cpu;
mod instructions;
mod load;
mod server;

pub(crate) use cpu::run as cpu;
pub(crate) use instructions::run as instructions;

/// Connections of the load, each with one request under way.
const CONNECTIONS: usize = 16;

/// Bytes of a request, and of its answer.
const REQUEST: usize = 64;
