//! Where the fields of the structs are, said once: as numbers, and as a C program that does not compile with headers of
//! another mind. `cargo xtask check` compiles it with the kernel's.

use std::mem::{align_of, offset_of, size_of, size_of_val};

use super::*;

/// The size and alignment of a struct and the offset of every field, and the same as assertions in C. Without `..` in its
/// pattern, a field that is missing does not compile.
macro_rules! layout {
    ($lines:ident, $type:ident = $name:literal, $size:literal, {
        $($field:ident = $member:literal: $offset:literal),* $(,)?
    }) => {{
        let $type { $($field),* } = $type::default();
        assert_eq!((size_of::<$type>(), align_of::<$type>()), ($size, align_of::<u64>()), $name);
        $lines.push(format!("_Static_assert(sizeof({}) == {}, \"size\");", $name, size_of::<$type>()));
        $(
            assert_eq!(offset_of!($type, $field), $offset, "{}.{}", $name, stringify!($field));
            $lines.push(member($name, $member, offset_of!($type, $field), size_of_val(&$field)));
        )*
    }};
}

/// That a member of a struct is where it is here, and as long.
fn member(name: &str, member: &str, offset: usize, len: usize) -> String {
    let is_there = format!("offsetof({name}, {member}) == {offset}");
    let is_as_long = format!("sizeof((({name} *)0)->{member}) == {len}");
    format!("_Static_assert({is_there} && {is_as_long}, \"{member}\");")
}

/// All of it as lines of C. The numbers in the list are what a C program printed that was compiled with the headers of
/// Linux 7.2.12 on x86-64.
fn assertions() -> Vec<String> {
    let mut lines = Vec::new();
    layout!(lines, RefillEntry = "struct io_uring_zcrx_rqe", 16, {
        offset = "off": 0,
        len = "len": 8,
        padding = "__pad": 12,
    });
    layout!(lines, Offsets = "struct io_uring_zcrx_offsets", 32, {
        head = "head": 0,
        tail = "tail": 4,
        entries = "rqes": 8,
        reserved = "__resv2": 12,
        reserved_more = "__resv": 16,
    });
    layout!(lines, AreaRegistration = "struct io_uring_zcrx_area_reg", 48, {
        address = "addr": 0,
        len = "len": 8,
        token = "rq_area_token": 16,
        flags = "flags": 24,
        dmabuf = "dmabuf_fd": 28,
        reserved = "__resv2": 32,
    });
    layout!(lines, RegionDescription = "struct io_uring_region_desc", 64, {
        address = "user_addr": 0,
        len = "size": 8,
        flags = "flags": 16,
        id = "id": 20,
        mapping_offset = "mmap_offset": 24,
        reserved = "__resv": 32,
    });
    layout!(lines, Counters = "struct zcrx_stats", 16, {
        copies = "copy_count": 0,
        bytes = "copy_bytes": 8,
    });
    layout!(lines, EventDescription = "struct zcrx_event_desc", 96, {
        user_data = "user_data": 0,
        kinds = "type_mask": 8,
        flags = "flags": 12,
        counters_offset = "stats_offset": 16,
        reserved = "__resv2": 24,
    });
    layout!(lines, QueueRegistration = "struct io_uring_zcrx_ifq_reg", 96, {
        interface = "if_idx": 0,
        queue = "if_rxq": 4,
        entries = "rq_entries": 8,
        flags = "flags": 12,
        area = "area_ptr": 16,
        region = "region_ptr": 24,
        offsets = "offsets": 32,
        id = "zcrx_id": 64,
        page_len = "rx_buf_len": 68,
        events = "event_desc": 72,
        reserved = "__resv": 80,
    });
    layout!(lines, Control = "struct zcrx_ctrl", 72, {
        id = "zcrx_id": 0,
        operation = "op": 4,
        reserved = "__resv": 8,
        argument = "zc_flush": 24,
    });
    layout!(lines, QueryHeader = "struct io_uring_query_hdr", 40, {
        next = "next_entry": 0,
        data = "query_data": 8,
        operation = "query_op": 16,
        size = "size": 20,
        result = "result": 24,
        reserved = "__resv": 28,
    });
    layout!(lines, QueryOperations = "struct io_uring_query_opcode", 48, {
        requests = "nr_request_opcodes": 0,
        registers = "nr_register_opcodes": 4,
        features = "feature_flags": 8,
        setup_flags = "ring_setup_flags": 16,
        enter_flags = "enter_flags": 24,
        entry_flags = "sqe_flags": 32,
        queries = "nr_query_opcodes": 40,
        padding = "__pad": 44,
    });
    layout!(lines, QueryQueues = "struct io_uring_query_zcrx", 40, {
        register_flags = "register_flags": 0,
        area_flags = "area_flags": 8,
        controls = "nr_ctrl_opcodes": 16,
        features = "features": 20,
        header_len = "rq_hdr_size": 24,
        header_alignment = "rq_hdr_alignment": 28,
        reserved = "__resv2": 32,
    });
    layout!(lines, QueryEvents = "struct io_uring_query_zcrx_event", 48, {
        kinds = "event_flags": 0,
        counters_len = "stats_size": 4,
        counters_alignment = "stats_off_alignment": 8,
        reserved = "__resv1": 12,
        reserved_more = "__resv2": 16,
    });
    let constants = [
        (REGISTER_QUEUE, "IORING_REGISTER_ZCRX_IFQ"),
        (REGISTER_QUERY, "IORING_REGISTER_QUERY"),
        (REGISTER_CONTROL, "IORING_REGISTER_ZCRX_CTRL"),
        (AREA_SHIFT, "IORING_ZCRX_AREA_SHIFT"),
        (USER_MEMORY, "IORING_MEM_REGION_TYPE_USER"),
        (NO_DEVICE, "ZCRX_REG_NODEV"),
        (WITH_STATISTICS, "ZCRX_EVENT_DESC_FLAG_STATS"),
        (FLUSH, "ZCRX_CTRL_FLUSH_RQ"),
        (QUERY_OPERATIONS, "IO_URING_QUERY_OPCODES"),
        (QUERY_QUEUES, "IO_URING_QUERY_ZCRX"),
        (QUERY_EVENTS, "IO_URING_QUERY_ZCRX_EVENT"),
    ];
    lines.extend(
        constants.map(|(number, name)| format!("_Static_assert({name} == {number}, \"{name}\");")),
    );
    lines
}

#[test]
fn layouts_are_those_of_the_kernels_headers() {
    let assertions = assertions().join("\n");
    let program = format!(
        "/* Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims --lib kernels_headers`, from the structs of\n   \
         `zcrx/abi.rs`. `cargo xtask check` compiles it with the headers of the newest kernel of the lab. */\n\
         #include <linux/io_uring.h>\n#include <linux/io_uring/query.h>\n#include <linux/io_uring/zcrx.h>\n\
         #include <stddef.h>\n\n{assertions}\n"
    );
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/sys/uring/zcrx/abi/layout.c"
    );
    if std::env::var_os("NETPRIMS_TABLE").is_some_and(|what| what == "overwrite") {
        std::fs::write(path, &program).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert_eq!(kept, program, "layout.c is not what the structs are");
}
