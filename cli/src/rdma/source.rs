//! Where traffic comes from.

use clap::Args;
use netprims_rdma::{GidIndex, PortNum};

/// The TCP port by which the sides meet, unless it is said.
pub(crate) const TCP_PORT: u16 = 18_517;

/// Arguments that both sides of a measurement have.
#[derive(Args, Clone)]
pub(crate) struct Source {
    /// RDMA device [default: the first one]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Port of the device
    #[arg(long, value_name = "PORT", default_value = "1")]
    pub(crate) ib_port: PortNum,
    /// Index of the GID that traffic comes from [default: on Ethernet, RoCE v2 with IPv4 if there is
    /// one]
    #[arg(long, value_name = "INDEX")]
    pub(crate) gid_index: Option<GidIndex>,
    /// TCP port by which the sides tell each other their addresses
    #[arg(long, value_name = "PORT", default_value_t = TCP_PORT)]
    pub(crate) tcp_port: u16,
    /// Seconds without a word from the other side after which this one gives up
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) patience: u64,
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl Source {
    pub(crate) fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.patience)
    }
}
