#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, Host};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = |host: &Host| host.pf("ens1f0");
        Ok(())
    };
}
