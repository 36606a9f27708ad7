#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, VfSpec, Vlan, VlanId};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = VfSpec::new().vlan(100);
        Ok(())
    };
}
