//! Where the programs are that are measured against, and with.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Tools {
    /// The folder with the peers' echo servers
    #[arg(long, global = true, value_name = "FOLDER")]
    peers: Option<PathBuf>,
    /// valgrind's tool callgrind (usr/libexec/valgrind/callgrind-… of its package)
    #[arg(long, global = true, value_name = "PATH")]
    callgrind: Option<PathBuf>,
    /// The folder with the peers that post and poll
    #[arg(long, global = true, value_name = "FOLDER")]
    verbs_peers: Option<PathBuf>,
}

impl Tools {
    /// Our echo server: it is built with this program.
    pub(crate) fn our_echo() -> Result<PathBuf> {
        let this = env::current_exe().context("cannot tell where this program is")?;
        Ok(this.with_file_name("echo_ring"))
    }

    /// The echo server of a peer.
    pub(crate) fn echo(&self, peer: &str) -> Result<PathBuf> {
        let folder = self
            .peers
            .as_ref()
            .context("--peers says where the echo servers are")?;
        Ok(folder.join(format!("echo_{peer}")))
    }

    /// Our program that posts and polls: it is built with this one.
    pub(crate) fn our_verbs() -> Result<PathBuf> {
        let this = env::current_exe().context("cannot tell where this program is")?;
        Ok(this.with_file_name("verbs_ours"))
    }

    /// The program of a peer that posts and polls.
    pub(crate) fn verbs(&self, peer: &str) -> Result<PathBuf> {
        let folder = self
            .verbs_peers
            .as_ref()
            .context("--verbs-peers says where the programs are that post and poll")?;
        Ok(folder.join(format!("verbs_{peer}")))
    }

    /// The program that counts instructions.
    pub(crate) fn callgrind(&self) -> Result<&Path> {
        self.callgrind
            .as_deref()
            .context("--callgrind says where the program is that counts instructions")
    }
}
