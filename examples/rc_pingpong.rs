//! Ping-pong over a reliable connection; plays with rdma-core's `ibv_rc_pingpong`.
//!
//! ```text
//! rc_pingpong [OPTIONS]          start a server and wait for one client
//! rc_pingpong [OPTIONS] HOST     connect to the server at HOST
//! ```
//!
//! What it does is in the library `pingpong`, in the folder beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    pingpong::program(pingpong::Kind::Rc)
}
