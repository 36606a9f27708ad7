//! Sizes and offsets as `verbs.h` gives them on 64-bit Linux with glibc, x86-64.

use std::mem::{align_of, offset_of, size_of};

use super::*;

#[test]
fn sizes_are_those_of_verbs_h() {
    assert_eq!(size_of::<Device>(), 664);
    assert_eq!(size_of::<ContextOps>(), 256);
    assert_eq!(size_of::<DeviceAttr>(), 232);
    assert_eq!(size_of::<PortAttr>(), 52);
    assert_eq!(size_of::<Gid>(), 16);
    assert_eq!(align_of::<Gid>(), 8);
    assert_eq!(size_of::<GidEntry>(), 32);
    assert_eq!(size_of::<Pd>(), 16);
    assert_eq!(size_of::<Mr>(), 48);
    assert_eq!(size_of::<QpCap>(), 20);
    assert_eq!(size_of::<QpInitAttr>(), 64);
    assert_eq!(size_of::<GlobalRoute>(), 24);
    assert_eq!(size_of::<AhAttr>(), 32);
    assert_eq!(size_of::<QpAttr>(), 144);
    assert_eq!(size_of::<Sge>(), 16);
    assert_eq!(size_of::<SendWr>(), 128);
    assert_eq!(size_of::<RecvWr>(), 32);
    assert_eq!(size_of::<Wc>(), 48);
}

#[test]
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn sizes_with_pthread_members_are_those_of_verbs_h() {
    assert_eq!(size_of::<Context>(), 328);
    assert_eq!(size_of::<Cq>(), 128);
    assert_eq!(size_of::<Qp>(), 160);
    assert_eq!(offset_of!(Context, mutex), 280);
    assert_eq!(offset_of!(Context, abi_compat), 320);
}

#[test]
fn offsets_of_what_the_crate_reads_and_writes() {
    assert_eq!(offset_of!(Device, name), 24);
    assert_eq!(offset_of!(Device, ibdev_path), 408);
    assert_eq!(offset_of!(Context, ops), 8);
    assert_eq!(offset_of!(ContextOps, poll_cq), 11 * 8);
    assert_eq!(offset_of!(ContextOps, post_send), 25 * 8);
    assert_eq!(offset_of!(ContextOps, post_recv), 26 * 8);
    assert_eq!(offset_of!(Context, num_comp_vectors), 272);
    assert_eq!(offset_of!(DeviceAttr, max_qp), 108);
    assert_eq!(offset_of!(DeviceAttr, max_cqe), 132);
    assert_eq!(offset_of!(DeviceAttr, phys_port_cnt), 227);
    assert_eq!(offset_of!(PortAttr, gid_tbl_len), 12);
    assert_eq!(offset_of!(PortAttr, lid), 34);
    assert_eq!(offset_of!(PortAttr, link_layer), 46);
    assert_eq!(offset_of!(PortAttr, port_cap_flags2), 48);
    assert_eq!(offset_of!(GidEntry, gid_type), 24);
    assert_eq!(offset_of!(GidEntry, ndev_ifindex), 28);
    assert_eq!(offset_of!(Mr, lkey), 36);
    assert_eq!(offset_of!(Cq, cqe), 28);
    assert_eq!(offset_of!(Qp, qp_num), 52);
    assert_eq!(offset_of!(QpInitAttr, qp_type), 52);
    assert_eq!(offset_of!(QpInitAttr, sq_sig_all), 56);
    assert_eq!(offset_of!(AhAttr, dlid), 24);
    assert_eq!(offset_of!(AhAttr, port_num), 30);
    assert_eq!(offset_of!(QpAttr, cap), 36);
    assert_eq!(offset_of!(QpAttr, ah_attr), 56);
    assert_eq!(offset_of!(QpAttr, pkey_index), 120);
    assert_eq!(offset_of!(QpAttr, max_rd_atomic), 126);
    assert_eq!(offset_of!(QpAttr, timeout), 130);
    assert_eq!(offset_of!(QpAttr, rate_limit), 136);
    assert_eq!(offset_of!(SendWr, wr), 40);
    assert_eq!(offset_of!(SendWr, remote_srqn), 72);
    assert_eq!(offset_of!(SendWr, bind_or_tso), 80);
    assert_eq!(offset_of!(Wc, byte_len), 20);
    assert_eq!(offset_of!(Wc, qp_num), 28);
    assert_eq!(offset_of!(Wc, dlid_path_bits), 45);
}

#[test]
fn the_tail_of_verbs_context_ends_with_the_context() {
    // verbs_get_ctx_op() compares `sz` with the bytes from the wanted member to the end of the
    // struct.
    let before_context = 38 * 8 + 8 + 8;
    assert_eq!(offset_of!(VerbsContextTail, context), before_context);
    assert_eq!(offset_of!(VerbsContextTail, sz), before_context - 8);
    assert_eq!(
        size_of::<VerbsContextTail>(),
        before_context + size_of::<Context>()
    );
}
