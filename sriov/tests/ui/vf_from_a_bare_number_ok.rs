#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, Pf, VfIndex, VfSpec};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = |pf: &Pf| pf.configure_vfs(&[(VfIndex::new(0), VfSpec::new())]);
        Ok(())
    };
}
