use super::Sysctl;

/// The network sysctls this crate names: those that limit a socket option, are its default, or rule what it does.
pub const KNOWN: &[Sysctl] = &[
    // Buffers, and what clamps them.
    Sysctl::new("net.core.rmem_max"),
    Sysctl::new("net.core.wmem_max"),
    Sysctl::new("net.core.rmem_default"),
    Sysctl::new("net.core.wmem_default"),
    Sysctl::new("net.core.optmem_max"),
    Sysctl::new("net.ipv4.tcp_rmem"),
    Sysctl::new("net.ipv4.tcp_wmem"),
    Sysctl::new("net.ipv4.tcp_mem"),
    Sysctl::new("net.ipv4.udp_mem"),
    Sysctl::new("net.ipv4.udp_rmem_min"),
    Sysctl::new("net.ipv4.udp_wmem_min"),
    // Polling, and the queues before the socket.
    Sysctl::new("net.core.busy_poll"),
    Sysctl::new("net.core.busy_read"),
    Sysctl::new("net.core.netdev_max_backlog"),
    Sysctl::new("net.core.netdev_budget"),
    Sysctl::new("net.core.netdev_budget_usecs"),
    Sysctl::new("net.core.default_qdisc"),
    // Listening and connecting.
    Sysctl::new("net.core.somaxconn"),
    Sysctl::new("net.ipv4.tcp_max_syn_backlog"),
    Sysctl::new("net.ipv4.tcp_syncookies"),
    Sysctl::new("net.ipv4.tcp_syn_retries"),
    Sysctl::new("net.ipv4.tcp_synack_retries"),
    Sysctl::new("net.ipv4.tcp_fastopen"),
    Sysctl::new("net.ipv4.tcp_abort_on_overflow"),
    Sysctl::new("net.ipv4.tcp_migrate_req"),
    Sysctl::new("net.unix.max_dgram_qlen"),
    Sysctl::new("net.ipv4.ip_local_port_range"),
    Sysctl::new("net.ipv4.ip_unprivileged_port_start"),
    Sysctl::new("net.ipv4.ip_nonlocal_bind"),
    Sysctl::new("net.ipv6.bindv6only"),
    // What a connection does.
    Sysctl::new("net.ipv4.tcp_congestion_control"),
    Sysctl::new("net.ipv4.tcp_available_congestion_control"),
    Sysctl::new("net.ipv4.tcp_allowed_congestion_control"),
    Sysctl::new("net.ipv4.tcp_available_ulp"),
    Sysctl::new("net.ipv4.tcp_notsent_lowat"),
    Sysctl::new("net.ipv4.tcp_autocorking"),
    Sysctl::new("net.ipv4.tcp_window_scaling"),
    Sysctl::new("net.ipv4.tcp_timestamps"),
    Sysctl::new("net.ipv4.tcp_keepalive_time"),
    Sysctl::new("net.ipv4.tcp_keepalive_intvl"),
    Sysctl::new("net.ipv4.tcp_keepalive_probes"),
    Sysctl::new("net.ipv4.tcp_retries2"),
    Sysctl::new("net.ipv4.tcp_fin_timeout"),
    Sysctl::new("net.ipv4.tcp_mtu_probing"),
    Sysctl::new("net.ipv4.tcp_min_rtt_wlen"),
    Sysctl::new("net.ipv4.ip_default_ttl"),
    Sysctl::new("net.ipv4.ip_no_pmtu_disc"),
    Sysctl::new("net.mptcp.enabled"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn each_is_named_once() {
        let names: BTreeSet<_> = KNOWN.iter().map(Sysctl::name).collect();
        assert_eq!(names.len(), KNOWN.len());
    }

    /// Every `net.…` name in a string or the documentation of this crate's sources.
    fn named_below(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                named_below(&path, found);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for family in ["net.core.", "net.ipv4.", "net.ipv6.", "net.mptcp."] {
                for (at, _) in text.match_indices(family) {
                    let rest = &text[at + family.len()..];
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                    // A longer name is of an interface, and is the user's.
                    if end > 0 && !rest[end..].starts_with(['.', '/']) {
                        found.insert(format!("{family}{}", &rest[..end]));
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_the_crate_names_is_known() {
        let mut found = BTreeSet::new();
        named_below(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
            &mut found,
        );
        let known: BTreeSet<_> = KNOWN.iter().map(|name| name.name().to_owned()).collect();
        let unknown: Vec<_> = found
            .difference(&known)
            .filter(|name| !name.contains("no_such"))
            .collect();
        assert!(unknown.is_empty(), "to be listed in KNOWN: {unknown:?}");
        assert!(found.contains("net.core.somaxconn"));
    }
}
