//! The report is exact: for each setting, privilege and environment the very text that it must have, worked out from the
//! kernel's rules and from what `/proc/sys` shows, and never by the crate. `cargo xtask test` runs this on each kernel of
//! the lab too.
//!
//! Sysctls of a network namespace are set in a fresh one; others are taken as the machine has them. Everything is asked as
//! root and as a user without privilege.
#![expect(clippy::unwrap_used, reason = "a test's way to fail")]

mod case;
mod cases;
#[path = "../host/mod.rs"]
mod host;
mod open;
#[expect(
    unsafe_code,
    reason = "a thread without privilege, options and loopback"
)]
#[path = "../sys"]
mod sys {
    pub(crate) mod loopback;
    pub(crate) mod raw_option;
    pub(crate) mod seccomp;
    pub(crate) mod unprivileged;
}
mod want;
