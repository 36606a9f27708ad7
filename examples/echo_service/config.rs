use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use netprims::tuning::{Tcp, Tuning};
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
}
