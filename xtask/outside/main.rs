//! A first program of somebody who depends on the three packages.

use netprims::socket::TcpBuilder;
use netprims::tuning::Tuning;
use netprims_rdma::{Device, Error};
use netprims_sriov::Host;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Device::list() {
        Err(error @ Error::LibraryMissing { .. }) => println!("rdma: library missing: {error}"),
        Err(error) => return Err(error.into()),
        Ok(devices) => println!("rdma: {} devices", devices.len()),
    }
    let tuning = Tuning::tcp().nodelay(true).receive_buffer(128 * 1024);
    let (listener, report) = TcpBuilder::new().tuning(tuning).listen("127.0.0.1:0".parse()?)?;
    println!("socket: tuned {}\n{report}", listener.local_addr()?);
    println!("sriov: {} PFs", Host::open()?.pfs()?.len());
    Ok(())
}
