#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, Qos, Vlan, VlanId};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = Vlan::new(VlanId::new(3)?).qos(Qos::new(3)?);
        Ok(())
    };
}
