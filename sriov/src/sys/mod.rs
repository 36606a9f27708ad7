//! The edge to the kernel: the only place with `unsafe`, and the seams tests replace.

mod file;
mod helper;
mod route;

pub(crate) use file::{KernelFiles, SysfsFiles, Value};
pub(crate) use helper::within;
pub(crate) use route::{RouteSocket, Transport};
