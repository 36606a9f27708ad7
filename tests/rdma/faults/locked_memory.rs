//! A process that may lock little memory.

use lab_tests::gate;
use netprims_rdma::{Error, RemoteAccess};

use super::peer::{Parent, Peer, device};

/// As much as `prlimit --memlock` says below.
const LIMIT: usize = 1 << 18;

/// The error says how much was asked for, which limit it is and how to raise it; what fits is registered, and what was
/// given back can be had again.
#[test]
fn memory_beyond_the_limit_is_refused_by_the_limits_name() {
    const TEST: &str =
        "faults::locked_memory::memory_beyond_the_limit_is_refused_by_the_limits_name";
    if Parent::of(TEST).is_some() {
        return register_much();
    }
    gate(|lab| {
        let _rxe = lab.rxe();
        let limit = format!("--memlock={LIMIT}");
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let launcher = [&["prlimit", &limit, "setpriv"][..], &nobody].concat();
        Peer::start_under(lab, &launcher, TEST).finish();
    });
}

fn register_much() {
    let context = device();
    let pd = context.alloc_pd().unwrap();
    let says_so = |error: Error| {
        let text = error.to_string();
        let wanted = [
            &format!("limit is {LIMIT}")[..],
            "ulimit -l",
            "CAP_IPC_LOCK",
        ];
        assert!(wanted.iter().all(|part| text.contains(part)), "{text}");
    };
    says_so(pd.register_local(4, 1 << 20).unwrap_err());
    says_so(
        pd.register_exposed(LIMIT + 1, RemoteAccess::ALL)
            .unwrap_err(),
    );
    let mut held = Vec::new();
    let refused = loop {
        match pd.register_local(1, 1 << 14) {
            Ok(memory) => held.push(memory),
            Err(error) => break error,
        }
    };
    says_so(refused);
    assert_eq!(held.len(), LIMIT >> 14);
    held.pop();
    let last = pd.register_exposed(1 << 14, RemoteAccess::READ).unwrap();
    says_so(pd.register_local(1, 1).unwrap_err());
    drop(last);
}
