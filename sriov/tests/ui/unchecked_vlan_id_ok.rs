#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, VlanId};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = VlanId::new(4095);
        Ok(())
    };
}
