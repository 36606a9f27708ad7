//! One file per option.

use super::spec::Spec;

mod buffer;
mod busy_poll;
mod congestion;
mod nodelay;
mod receive_buffer;
mod reuse_port;
mod send_buffer;

/// Every option, in the order they are set.
pub(super) static ALL: [&Spec; 6] = [
    &receive_buffer::SPEC,
    &send_buffer::SPEC,
    &reuse_port::SPEC,
    &nodelay::SPEC,
    &busy_poll::SPEC,
    &congestion::SPEC,
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
}
