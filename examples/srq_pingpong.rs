//! Ping-pong over several reliable connections, whose receives come from one shared queue; plays
//! with rdma-core's `ibv_srq_pingpong`.
//!
//! ```text
//! srq_pingpong [OPTIONS]          start a server and wait for one client
//! srq_pingpong [OPTIONS] HOST     connect to the server at HOST
//! ```
//!
//! What it does is in the library `pingpong`, in the folder beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    pingpong::program(pingpong::Kind::Srq)
}
