//! `netprims rdma list`.

use anyhow::{Result, bail};
use clap::Args;
use netprims_rdma::{Context, Device, DeviceLimits, PortNum};
use serde::Serialize;

use crate::table::Table;

/// The name of what `--json` prints. Fields may be added to a version; none goes, or changes what it
/// says.
const SCHEMA: &str = "netprims.rdma.list";
const VERSION: u32 = 1;

/// Arguments of `rdma list`.
#[derive(Args)]
pub(crate) struct List {
    /// Print JSON: schema netprims.rdma.list, version 1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Inventory {
    schema: &'static str,
    version: u32,
    devices: Vec<DeviceRow>,
}

#[derive(Serialize)]
struct DeviceRow {
    name: String,
    uverbs: String,
    node_type: String,
    transport: String,
    /// Why the device cannot be asked, if so; it has no details then.
    error: Option<String>,
    #[serde(flatten)]
    details: Option<Details>,
}

#[derive(Serialize)]
struct Details {
    firmware: String,
    node_guid: String,
    vendor: u32,
    part: u32,
    limits: Limits,
    ports: Vec<PortRow>,
}

#[derive(Serialize)]
struct Limits {
    max_qp: u32,
    max_qp_depth: u32,
    max_sge: u32,
    max_cq: u32,
    max_cq_capacity: u32,
    max_mr: u32,
    max_mr_bytes: u64,
    max_pd: u32,
}

#[derive(Serialize)]
struct PortRow {
    port: u8,
    state: String,
    link_layer: String,
    /// Bytes; `null` for a number that is not known.
    active_mtu: Option<u32>,
    max_mtu: Option<u32>,
    max_message_bytes: u32,
    lid: u16,
    gids: Vec<GidRow>,
}

#[derive(Serialize)]
struct GidRow {
    index: u32,
    gid: String,
    r#type: String,
    netdev: Option<String>,
    /// Whether it is used where nobody names another.
    is_default: bool,
}

impl List {
    pub(crate) fn run(&self) -> Result<()> {
        let devices = Device::list()?.iter().map(device).collect();
        let inventory = Inventory {
            schema: SCHEMA,
            version: VERSION,
            devices,
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&inventory)?);
        } else {
            print(&inventory);
        }
        let mut silent = inventory
            .devices
            .iter()
            .filter_map(|row| row.error.as_ref());
        match silent.next() {
            Some(error) => bail!("{error}"),
            None => Ok(()),
        }
    }
}

fn device(device: &Device) -> DeviceRow {
    let asked = device.open().and_then(|context| details(&context));
    let (details, error) = match asked {
        Ok(details) => (Some(details), None),
        Err(error) => (None, Some(error.to_string())),
    };
    DeviceRow {
        name: device.name().to_owned(),
        uverbs: device.uverbs_name().to_owned(),
        node_type: device.node_type().to_string(),
        transport: device.transport().to_string(),
        error,
        details,
    }
}

fn details(context: &Context) -> netprims_rdma::Result<Details> {
    let limits = context.query_device()?;
    let ports = 1..=limits.ports();
    let ports: netprims_rdma::Result<_> = ports.map(|number| port(context, number)).collect();
    let (vendor, part) = limits.vendor();
    Ok(Details {
        firmware: limits.firmware().to_owned(),
        node_guid: format!("{:016x}", limits.node_guid()),
        vendor,
        part,
        ports: ports?,
        limits: of_device(&limits),
    })
}

fn of_device(limits: &DeviceLimits) -> Limits {
    Limits {
        max_qp: limits.max_qp(),
        max_qp_depth: limits.max_qp_depth(),
        max_sge: limits.max_sge(),
        max_cq: limits.max_cq(),
        max_cq_capacity: limits.max_cq_capacity(),
        max_mr: limits.max_mr(),
        max_mr_bytes: limits.max_mr_size(),
        max_pd: limits.max_pd(),
    }
}

fn port(context: &Context, number: u8) -> netprims_rdma::Result<PortRow> {
    let port = PortNum::new(number)?;
    let info = context.query_port(port)?;
    let chosen = context.select_gid(port).ok();
    let chosen = chosen.map(|choice| choice.entry.index);
    let gids = context.gid_table(port)?;
    let gids = gids.iter().map(|entry| GidRow {
        index: entry.index,
        gid: entry.gid.to_string(),
        r#type: entry.kind.to_string(),
        netdev: entry.netdev(),
        is_default: chosen == Some(entry.index),
    });
    Ok(PortRow {
        port: number,
        state: info.state.to_string(),
        link_layer: info.link_layer.to_string(),
        active_mtu: info.active_mtu.bytes(),
        max_mtu: info.max_mtu.bytes(),
        max_message_bytes: info.max_message,
        lid: info.lid.0,
        gids: gids.collect(),
    })
}

fn print(inventory: &Inventory) {
    let mut devices = Table::new(&[
        "device",
        "transport",
        "firmware",
        "node GUID",
        "QPs",
        "QP depth",
        "SGEs",
        "CQs",
        "CQ entries",
        "MRs",
    ]);
    let mut addresses = Table::new(&[
        "device", "port", "link", "state", "MTU", "GID", "type", "address", "netdev", "",
    ]);
    for device in &inventory.devices {
        let name = &device.name;
        let Some(details) = &device.details else {
            devices.row(&[name, &device.transport, &"cannot be asked"]);
            continue;
        };
        let limits = &details.limits;
        devices.row(&[
            name,
            &device.transport,
            &details.firmware,
            &details.node_guid,
            &limits.max_qp,
            &limits.max_qp_depth,
            &limits.max_sge,
            &limits.max_cq,
            &limits.max_cq_capacity,
            &limits.max_mr,
        ]);
        for port in &details.ports {
            let mtu = port
                .active_mtu
                .map_or("?".to_owned(), |mtu| mtu.to_string());
            let (number, link, state) = (&port.port, &port.link_layer, &port.state);
            if port.gids.is_empty() {
                addresses.row(&[name, number, link, state, &mtu, &"-", &"-", &"none"]);
            }
            for gid in &port.gids {
                let netdev = gid.netdev.as_deref().unwrap_or("-");
                let mark = if gid.is_default { "default" } else { "" };
                let (index, kind, address) = (&gid.index, &gid.r#type, &gid.gid);
                addresses.row(&[
                    name, number, link, state, &mtu, index, kind, address, &netdev, &mark,
                ]);
            }
        }
    }
    devices.print();
    println!();
    addresses.print();
}
