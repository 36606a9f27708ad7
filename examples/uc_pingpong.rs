//! Ping-pong over an unreliable connection, where a message that is lost ends the game; plays
//! with rdma-core's `ibv_uc_pingpong`.
//!
//! ```text
//! uc_pingpong [OPTIONS]          start a server and wait for one client
//! uc_pingpong [OPTIONS] HOST     connect to the server at HOST
//! ```
//!
//! What it does is in the library `pingpong`, in the folder beside this file.

use std::process::ExitCode;

fn main() -> ExitCode {
    pingpong::program(pingpong::Kind::Uc)
}
