#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, MacAddr, VfSpec};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = VfSpec::new().mac(MacAddr::new([2, 0, 0, 0, 0, 1])?);
        Ok(())
    };
}
