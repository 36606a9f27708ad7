#![allow(unused_imports, reason = "the twin uses them")]

use netprims_sriov::{Error, Host, Pf, PfId};

fn main() {
    let _ = || -> Result<(), Error> {
        let _ = |host: &Host| host.pf(&PfId::Netdevsim(1).into());
        Ok(())
    };
}
