#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, Pf, VfCount, VfIndex};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = |pf: &Pf| pf.create_vfs(VfIndex::new(4));
        Ok(())
    };
}
