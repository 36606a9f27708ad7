//! One file per option.

use super::spec::Spec;

mod bind_address_no_port;
mod buffer;
mod busy_poll;
mod busy_poll_budget;
mod congestion;
mod cork;
mod defer_accept;
mod dscp;
mod family;
mod fastopen;
mod fastopen_connect;
mod freebind;
mod hop_limit;
mod incoming_cpu;
mod interface;
mod keepalive;
mod keepalive_count;
mod keepalive_idle;
mod keepalive_interval;
mod linger;
mod local_port_range;
mod mark;
mod max_pacing_rate;
mod max_segment;
mod nodelay;
mod notsent_lowat;
mod only_v6;
mod path_mtu;
mod peek_offset;
mod prefer_busy_poll;
mod priority;
mod quickack;
mod receive_buffer;
mod receive_buffer_force;
mod receive_errors;
mod receive_low_water;
mod reuse_address;
mod reuse_port;
mod send_buffer;
mod send_buffer_force;
pub(super) mod somaxconn;
mod syn_count;
mod time;
mod timestamping;
mod transparent;
mod txtime;
mod udp_gro;
mod udp_segment;
mod ulp;
mod user_timeout;
mod window_clamp;
mod zerocopy;

/// Every option, in the order they are set: those that another one reads or writes over come first.
pub(super) static ALL: [&Spec; 48] = [
    &receive_buffer::SPEC,
    &receive_buffer_force::SPEC,
    &send_buffer::SPEC,
    &send_buffer_force::SPEC,
    &only_v6::SPEC,
    &reuse_address::SPEC,
    &reuse_port::SPEC,
    &incoming_cpu::SPEC,
    &freebind::SPEC,
    &transparent::SPEC,
    &interface::SPEC,
    &bind_address_no_port::SPEC,
    &local_port_range::SPEC,
    &mark::SPEC,
    &dscp::SPEC,
    &priority::SPEC,
    &hop_limit::SPEC,
    &path_mtu::SPEC,
    &receive_errors::SPEC,
    &receive_low_water::SPEC,
    &peek_offset::SPEC,
    &zerocopy::SPEC,
    &timestamping::SPEC,
    &txtime::SPEC,
    &max_pacing_rate::SPEC,
    &linger::SPEC,
    &keepalive::SPEC,
    &keepalive_idle::SPEC,
    &keepalive_interval::SPEC,
    &keepalive_count::SPEC,
    &user_timeout::SPEC,
    &nodelay::SPEC,
    &quickack::SPEC,
    &cork::SPEC,
    &notsent_lowat::SPEC,
    &max_segment::SPEC,
    &window_clamp::SPEC,
    &syn_count::SPEC,
    &defer_accept::SPEC,
    &fastopen::SPEC,
    &fastopen_connect::SPEC,
    &udp_segment::SPEC,
    &udp_gro::SPEC,
    &busy_poll::SPEC,
    &prefer_busy_poll::SPEC,
    &busy_poll_budget::SPEC,
    &congestion::SPEC,
    &ulp::SPEC,
];

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_option_is_listed_twice() {
        let mut names: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
    #[test]
    fn every_setter_says_what_one_has_to_know() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tuning/options");
        let mut setters = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.ends_with("mod.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let Some((docs, spec)) = text.split_once("pub(super) static SPEC:") else {
                continue;
            };
            setters += 1;
            let docs = docs.to_lowercase();
            for word in ["default", "when: ", "privilege: ", "kernel: ", "source: "] {
                assert!(docs.contains(word), "{}: {word}", path.display());
            }
            let name = spec.split('"').nth(1).unwrap().to_lowercase();
            let alias = format!("#[doc(alias = \"{name}\")]");
            assert!(docs.contains(&alias), "{}: {alias}", path.display());
        }
        assert_eq!(setters, ALL.len());
    }
}
