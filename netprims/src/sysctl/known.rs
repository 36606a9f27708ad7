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

    /// Every `net.…` name of two more parts in a text. A longer name is of an interface, and is the user's.
    fn named_in(text: &str) -> BTreeSet<String> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let part = |text: &str| text.find(|c| !is_part(c)).unwrap_or(text.len());
        let mut found = BTreeSet::new();
        for (at, start) in text.match_indices("net.") {
            if text[..at].ends_with(|c| is_part(c) || c == '.') {
                continue;
            }
            let rest = &text[at + start.len()..];
            let (family, rest) = rest.split_at(part(rest));
            let Some(rest) = rest.strip_prefix('.').filter(|_| !family.is_empty()) else {
                continue;
            };
            let (name, rest) = rest.split_at(part(rest));
            let goes_on = rest
                .strip_prefix(['.', '/'])
                .is_some_and(|rest| rest.starts_with(is_part));
            if !name.is_empty() && !goes_on {
                found.insert(format!("net.{family}.{name}"));
            }
        }
        found
    }

    #[test]
    fn a_name_of_any_family_is_found() {
        let text = "a `net.unix.max_dgram_qlen`, net.netfilter.nf_conntrack_max. subnet.core.x, x.net.core.x, net.core, \
                    net.ipv4.conf.eth0.arp, net.ipv4.conf.eth0/100, net.ipv4.tcp_rmem's third";
        let want = [
            "net.ipv4.tcp_rmem",
            "net.netfilter.nf_conntrack_max",
            "net.unix.max_dgram_qlen",
        ];
        assert_eq!(named_in(text), want.map(str::to_owned).into());
    }

    /// Those in a string or the documentation of the sources in a folder.
    fn named_below(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => named_below(&path, found),
                false if path.ends_with("sysctl/known.rs") => {}
                false => found.extend(named_in(&fs::read_to_string(&path).unwrap())),
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
        for name in ["net.core.somaxconn", "net.unix.max_dgram_qlen"] {
            assert!(found.contains(name), "{name}");
        }
    }
}
