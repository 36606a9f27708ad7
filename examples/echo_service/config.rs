use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use netprims::sysctl::Sysctl;
use netprims::tuning::{SocketKind, Tcp, Tuning};
use serde::Deserialize;

/// What the service is told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// How many connections may wait to be accepted.
    pub(crate) backlog: Option<u32>,
    /// What to ask of each socket.
    #[serde(default)]
    pub(crate) tuning: Tuning<Tcp>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }

    /// The kind of socket it will listen on.
    pub(crate) fn kind(&self) -> SocketKind {
        match self.listen {
            SocketAddr::V4(_) => SocketKind::TcpV4,
            SocketAddr::V6(_) => SocketKind::TcpV6,
        }
    }

    /// The kernel's limit, if the backlog is above it.
    pub(crate) fn backlog_cut(&self) -> Result<Option<u32>> {
        let limit = Sysctl::new("net.core.somaxconn").read()?;
        let limit = limit.context("no net.core.somaxconn")?.parse()?;
        Ok(self
            .backlog
            .is_some_and(|backlog| backlog > limit)
            .then_some(limit))
    }
}
