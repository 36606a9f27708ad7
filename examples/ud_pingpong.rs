//! Ping-pong by datagrams: each is one packet, may be lost, and comes with a header. Plays with
//! rdma-core's `ibv_ud_pingpong`.
//!
//! ```text
//! ud_pingpong [OPTIONS]          start a server and wait for one client
//! ud_pingpong [OPTIONS] HOST     connect to the server at HOST
//! ```
//!
//! What it does is in the library `pingpong`, in the folder beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    pingpong::program(pingpong::Kind::Ud)
}
