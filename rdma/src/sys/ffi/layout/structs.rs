//! Every struct, and the member of C's that each of its fields is.

use std::mem::{align_of, offset_of, size_of};

use super::super::*;
use super::InC;
use super::row::{Extent, Struct, extent, structs};

impl InC for CompatPortAttr {
    fn name() -> String {
        String::from("struct _compat_ibv_port_attr")
    }
}

impl InC for EventElement {
    fn name() -> String {
        String::from("__typeof__(((struct ibv_async_event *)0)->element)")
    }
}

structs! {
    Device = "struct ibv_device" {
        obsolete_ops = "_ops",
        node_type = "node_type",
        transport_type = "transport_type",
        name = "name",
        dev_name = "dev_name",
        dev_path = "dev_path",
        ibdev_path = "ibdev_path",
    }
    ContextOps = "struct ibv_context_ops" {
        compat_0_to_6 = "_compat_query_device" to "_compat_dereg_mr",
        alloc_mw = "alloc_mw",
        bind_mw = "bind_mw",
        dealloc_mw = "dealloc_mw",
        compat_create_cq = "_compat_create_cq",
        poll_cq = "poll_cq",
        req_notify_cq = "req_notify_cq",
        compat_13_to_19 = "_compat_cq_event" to "_compat_destroy_srq",
        post_srq_recv = "post_srq_recv",
        compat_21_to_24 = "_compat_create_qp" to "_compat_destroy_qp",
        post_send = "post_send",
        post_recv = "post_recv",
        compat_27_to_31 = "_compat_create_ah" to "_compat_async_event",
    }
    Context = "struct ibv_context" {
        device = "device",
        ops = "ops",
        cmd_fd = "cmd_fd",
        async_fd = "async_fd",
        num_comp_vectors = "num_comp_vectors",
        mutex = "mutex",
        abi_compat = "abi_compat",
    }
    VerbsContextTail = "struct verbs_context" ends {
        query_port = "query_port",
        advise_mr_to_create_wq = "advise_mr" to "create_wq",
        query_rt_values = "query_rt_values",
        create_cq_ex = "create_cq_ex",
        private = "priv",
        query_device_ex = "query_device_ex",
        destroy_flow_to_open_qp = "ibv_destroy_flow" to "open_qp",
        create_qp_ex = "create_qp_ex",
        get_srq_num_to_close_xrcd = "get_srq_num" to "close_xrcd",
        abi_placeholder3 = "_ABI_placeholder3",
        sz = "sz",
        context = "context",
    }
    DeviceAttr = "struct ibv_device_attr" {
        fw_ver = "fw_ver",
        node_guid = "node_guid",
        sys_image_guid = "sys_image_guid",
        max_mr_size = "max_mr_size",
        page_size_cap = "page_size_cap",
        vendor_id = "vendor_id",
        vendor_part_id = "vendor_part_id",
        hw_ver = "hw_ver",
        max_qp = "max_qp",
        max_qp_wr = "max_qp_wr",
        device_cap_flags = "device_cap_flags",
        max_sge = "max_sge",
        max_sge_rd = "max_sge_rd",
        max_cq = "max_cq",
        max_cqe = "max_cqe",
        max_mr = "max_mr",
        max_pd = "max_pd",
        max_qp_rd_atom = "max_qp_rd_atom",
        max_ee_rd_atom = "max_ee_rd_atom",
        max_res_rd_atom = "max_res_rd_atom",
        max_qp_init_rd_atom = "max_qp_init_rd_atom",
        max_ee_init_rd_atom = "max_ee_init_rd_atom",
        atomic_cap = "atomic_cap",
        max_ee = "max_ee",
        max_rdd = "max_rdd",
        max_mw = "max_mw",
        max_raw_ipv6_qp = "max_raw_ipv6_qp",
        max_raw_ethy_qp = "max_raw_ethy_qp",
        max_mcast_grp = "max_mcast_grp",
        max_mcast_qp_attach = "max_mcast_qp_attach",
        max_total_mcast_qp_attach = "max_total_mcast_qp_attach",
        max_ah = "max_ah",
        max_fmr = "max_fmr",
        max_map_per_fmr = "max_map_per_fmr",
        max_srq = "max_srq",
        max_srq_wr = "max_srq_wr",
        max_srq_sge = "max_srq_sge",
        max_pkeys = "max_pkeys",
        local_ca_ack_delay = "local_ca_ack_delay",
        phys_port_cnt = "phys_port_cnt",
    }
    PortAttr = "struct ibv_port_attr" begins {
        state = "state",
        max_mtu = "max_mtu",
        active_mtu = "active_mtu",
        gid_tbl_len = "gid_tbl_len",
        port_cap_flags = "port_cap_flags",
        max_msg_sz = "max_msg_sz",
        bad_pkey_cntr = "bad_pkey_cntr",
        qkey_viol_cntr = "qkey_viol_cntr",
        pkey_tbl_len = "pkey_tbl_len",
        lid = "lid",
        sm_lid = "sm_lid",
        lmc = "lmc",
        max_vl_num = "max_vl_num",
        sm_sl = "sm_sl",
        subnet_timeout = "subnet_timeout",
        init_type_reply = "init_type_reply",
        active_width = "active_width",
        active_speed = "active_speed",
        phys_state = "phys_state",
        link_layer = "link_layer",
        flags = "flags",
        port_cap_flags2 = "port_cap_flags2",
    }
    Gid = "union ibv_gid" {
        raw = "raw",
    }
    GidEntry = "struct ibv_gid_entry" {
        gid = "gid",
        gid_index = "gid_index",
        port_num = "port_num",
        gid_type = "gid_type",
        ndev_ifindex = "ndev_ifindex",
    }
    AsyncEvent = "struct ibv_async_event" {
        element = "element",
        event_type = "event_type",
    }
    Pd = "struct ibv_pd" {
        context = "context",
        handle = "handle",
    }
    Mr = "struct ibv_mr" {
        context = "context",
        pd = "pd",
        addr = "addr",
        length = "length",
        handle = "handle",
        lkey = "lkey",
        rkey = "rkey",
    }
    Mw = "struct ibv_mw" {
        context = "context",
        pd = "pd",
        rkey = "rkey",
        handle = "handle",
        kind = "type",
    }
    CompChannel = "struct ibv_comp_channel" {
        context = "context",
        fd = "fd",
        refcnt = "refcnt",
    }
    Cq = "struct ibv_cq" {
        context = "context",
        channel = "channel",
        cq_context = "cq_context",
        handle = "handle",
        cqe = "cqe",
        mutex = "mutex",
        cond = "cond",
        comp_events_completed = "comp_events_completed",
        async_events_completed = "async_events_completed",
    }
    Srq = "struct ibv_srq" {
        context = "context",
        srq_context = "srq_context",
        pd = "pd",
        handle = "handle",
        mutex = "mutex",
        cond = "cond",
        events_completed = "events_completed",
    }
    SrqAttr = "struct ibv_srq_attr" {
        max_wr = "max_wr",
        max_sge = "max_sge",
        srq_limit = "srq_limit",
    }
    SrqInitAttr = "struct ibv_srq_init_attr" {
        srq_context = "srq_context",
        attr = "attr",
    }
    Qp = "struct ibv_qp" {
        context = "context",
        qp_context = "qp_context",
        pd = "pd",
        send_cq = "send_cq",
        recv_cq = "recv_cq",
        srq = "srq",
        handle = "handle",
        qp_num = "qp_num",
        state = "state",
        qp_type = "qp_type",
        mutex = "mutex",
        cond = "cond",
        events_completed = "events_completed",
    }
    QpCap = "struct ibv_qp_cap" {
        max_send_wr = "max_send_wr",
        max_recv_wr = "max_recv_wr",
        max_send_sge = "max_send_sge",
        max_recv_sge = "max_recv_sge",
        max_inline_data = "max_inline_data",
    }
    QpInitAttr = "struct ibv_qp_init_attr" {
        qp_context = "qp_context",
        send_cq = "send_cq",
        recv_cq = "recv_cq",
        srq = "srq",
        cap = "cap",
        qp_type = "qp_type",
        sq_sig_all = "sq_sig_all",
    }
    GlobalRoute = "struct ibv_global_route" {
        dgid = "dgid",
        flow_label = "flow_label",
        sgid_index = "sgid_index",
        hop_limit = "hop_limit",
        traffic_class = "traffic_class",
    }
    AhAttr = "struct ibv_ah_attr" {
        grh = "grh",
        dlid = "dlid",
        sl = "sl",
        src_path_bits = "src_path_bits",
        static_rate = "static_rate",
        is_global = "is_global",
        port_num = "port_num",
    }
    Ah = "struct ibv_ah" {
        context = "context",
        pd = "pd",
        handle = "handle",
    }
    QpAttr = "struct ibv_qp_attr" {
        qp_state = "qp_state",
        cur_qp_state = "cur_qp_state",
        path_mtu = "path_mtu",
        path_mig_state = "path_mig_state",
        qkey = "qkey",
        rq_psn = "rq_psn",
        sq_psn = "sq_psn",
        dest_qp_num = "dest_qp_num",
        qp_access_flags = "qp_access_flags",
        cap = "cap",
        ah_attr = "ah_attr",
        alt_ah_attr = "alt_ah_attr",
        pkey_index = "pkey_index",
        alt_pkey_index = "alt_pkey_index",
        en_sqd_async_notify = "en_sqd_async_notify",
        sq_draining = "sq_draining",
        max_rd_atomic = "max_rd_atomic",
        max_dest_rd_atomic = "max_dest_rd_atomic",
        min_rnr_timer = "min_rnr_timer",
        port_num = "port_num",
        timeout = "timeout",
        retry_cnt = "retry_cnt",
        rnr_retry = "rnr_retry",
        alt_port_num = "alt_port_num",
        alt_timeout = "alt_timeout",
        rate_limit = "rate_limit",
    }
    Sge = "struct ibv_sge" {
        addr = "addr",
        length = "length",
        lkey = "lkey",
    }
    SendWr = "struct ibv_send_wr" {
        wr_id = "wr_id",
        next = "next",
        sg_list = "sg_list",
        num_sge = "num_sge",
        opcode = "opcode",
        send_flags = "send_flags",
        imm_or_rkey = "imm_data",
        wr = "wr",
        remote_srqn = "qp_type.xrc.remote_srqn",
        bind_or_tso = "bind_mw",
    }
    BindMw = "__typeof__(((struct ibv_send_wr *)0)->bind_mw)" {
        mw = "mw",
        rkey = "rkey",
        mr = "bind_info.mr",
        addr = "bind_info.addr",
        length = "bind_info.length",
        access = "bind_info.mw_access_flags",
    }
    RecvWr = "struct ibv_recv_wr" {
        wr_id = "wr_id",
        next = "next",
        sg_list = "sg_list",
        num_sge = "num_sge",
    }
    Wc = "struct ibv_wc" {
        wr_id = "wr_id",
        status = "status",
        opcode = "opcode",
        vendor_err = "vendor_err",
        byte_len = "byte_len",
        imm_or_rkey = "imm_data",
        qp_num = "qp_num",
        src_qp = "src_qp",
        wc_flags = "wc_flags",
        pkey_index = "pkey_index",
        slid = "slid",
        sl = "sl",
        dlid_path_bits = "dlid_path_bits",
    }
    QueryDeviceExInput = "struct ibv_query_device_ex_input" {
        comp_mask = "comp_mask",
    }
    DeviceAttrEx = "struct ibv_device_attr_ex" begins {
        orig_attr = "orig_attr",
        comp_mask = "comp_mask",
        odp_caps = "odp_caps",
        completion_timestamp_mask = "completion_timestamp_mask",
        hca_core_clock = "hca_core_clock",
        device_cap_flags_ex = "device_cap_flags_ex",
    }
    OdpCaps = "struct ibv_odp_caps" {
        general_caps = "general_caps",
        rc_odp_caps = "per_transport_caps.rc_odp_caps",
        uc_odp_caps = "per_transport_caps.uc_odp_caps",
        ud_odp_caps = "per_transport_caps.ud_odp_caps",
    }
    ValuesEx = "struct ibv_values_ex" {
        comp_mask = "comp_mask",
        raw_clock = "raw_clock",
    }
    CqInitAttrEx = "struct ibv_cq_init_attr_ex" {
        cqe = "cqe",
        cq_context = "cq_context",
        channel = "channel",
        comp_vector = "comp_vector",
        wc_flags = "wc_flags",
        comp_mask = "comp_mask",
        flags = "flags",
        parent_domain = "parent_domain",
    }
    PollCqAttr = "struct ibv_poll_cq_attr" {
        comp_mask = "comp_mask",
    }
    CqEx = "struct ibv_cq_ex" begins {
        base = "context" to "async_events_completed",
        comp_mask = "comp_mask",
        status = "status",
        wr_id = "wr_id",
        start_poll = "start_poll",
        next_poll = "next_poll",
        end_poll = "end_poll",
        read_opcode = "read_opcode",
        read_vendor_err = "read_vendor_err",
        read_byte_len = "read_byte_len",
        read_imm_data = "read_imm_data",
        read_qp_num = "read_qp_num",
        read_src_qp = "read_src_qp",
        read_wc_flags = "read_wc_flags",
        read_slid_to_dlid_path_bits = "read_slid" to "read_dlid_path_bits",
        read_completion_ts = "read_completion_ts",
        read_cvlan_to_tm_info = "read_cvlan" to "read_tm_info",
        read_completion_wallclock_ns = "read_completion_wallclock_ns",
    }
    RxHashConf = "struct ibv_rx_hash_conf" {
        rx_hash_function = "rx_hash_function",
        rx_hash_key_len = "rx_hash_key_len",
        rx_hash_key = "rx_hash_key",
        rx_hash_fields_mask = "rx_hash_fields_mask",
    }
    QpInitAttrEx = "struct ibv_qp_init_attr_ex" begins {
        qp_context = "qp_context",
        send_cq = "send_cq",
        recv_cq = "recv_cq",
        srq = "srq",
        cap = "cap",
        qp_type = "qp_type",
        sq_sig_all = "sq_sig_all",
        comp_mask = "comp_mask",
        pd = "pd",
        xrcd = "xrcd",
        create_flags = "create_flags",
        max_tso_header = "max_tso_header",
        rwq_ind_tbl = "rwq_ind_tbl",
        rx_hash_conf = "rx_hash_conf",
        source_qpn = "source_qpn",
        send_ops_flags = "send_ops_flags",
    }
    QpEx = "struct ibv_qp_ex" begins {
        qp_base = "qp_base",
        comp_mask = "comp_mask",
        wr_id = "wr_id",
        wr_flags = "wr_flags",
        wr_atomic_cmp_swp_to_wr_set_sge_list = "wr_atomic_cmp_swp" to "wr_set_sge_list",
        wr_start = "wr_start",
        wr_complete = "wr_complete",
        wr_abort = "wr_abort",
        wr_atomic_write = "wr_atomic_write",
    }
    QpEx45 = "struct ibv_qp_ex" since_45 {
        ex = "qp_base" to "wr_atomic_write",
        wr_flush = "wr_flush",
    }
}
