//! Who refused, by what can be seen.

use super::*;
use rstest::rstest;

const FREE: Option<&str> =
    Some("CapEff:\t0000000000000000\nSeccomp:\t0\nGid:\t5 5 5 5\nGroups:\t7\n");
const FILTERED: Option<&str> =
    Some("CapEff:\t0000000000000000\nSeccomp:\t2\nGid:\t5 5 5 5\nGroups:\t7\n");
const ADMIN: Option<&str> =
    Some("CapEff:\t000001ffffffffff\nSeccomp:\t0\nGid:\t0 0 0 0\nGroups:\t0\n");
const FILTERED_ADMIN: Option<&str> =
    Some("CapEff:\t000001ffffffffff\nSeccomp:\t2\nGid:\t0 0 0 0\nGroups:\t0\n");
const FIRST: &str = "user:[4026531837]";
const OWN: &str = "user:[4026532999]";
const ON: Seen = Seen::Value(0);

fn sights(status: Option<&str>, disabled: Seen) -> Sights {
    Sights {
        caller: Caller {
            status: status.map(str::to_owned),
            user_namespace: Some(FIRST.to_owned()),
        },
        disabled,
        group: Seen::Value(-1),
        release: Some("6.18.0".to_owned()),
        answer_to_nothing: None,
    }
}

fn told(operation: &'static str, errno: i32, sights: &Sights) -> String {
    let error = io::Error::from_raw_os_error(errno);
    let refusal = classify(Refused { operation, error }, sights);
    assert_eq!(refusal.raw_os_error(), Some(errno));
    let text = format!("{refusal:?}");
    text.split(' ').next().unwrap().to_owned()
}

#[rstest]
#[case::filter(libc::EPERM, FILTERED, ON, "Seccomp")]
#[case::filter_before_the_sysctl_was_there(libc::EPERM, FILTERED, Seen::Absent, "Seccomp")]
#[case::filter_that_plays_absent(libc::ENOSYS, FILTERED, ON, "Seccomp")]
#[case::disabled_for_all(libc::EPERM, FREE, Seen::Value(2), "Disabled")]
#[case::disabled_for_root_too(libc::EPERM, ADMIN, Seen::Value(2), "Disabled")]
#[case::disabled_for_most(libc::EPERM, FREE, Seen::Value(1), "Disabled")]
#[case::disabled_for_others_but_filtered(libc::EPERM, FILTERED_ADMIN, Seen::Value(1), "Seccomp")]
#[case::sysctl_out_of_sight(libc::EPERM, FILTERED, Seen::Not, "Unclear")]
#[case::status_out_of_sight(libc::EPERM, None, ON, "Unclear")]
#[case::both_out_of_sight(libc::EPERM, None, Seen::Not, "Unclear")]
#[case::disabled_for_all_whoever_asks(libc::EPERM, None, Seen::Value(2), "Disabled")]
#[case::absent_and_status_out_of_sight(libc::ENOSYS, None, ON, "Unclear")]
#[case::security_module(libc::EPERM, FREE, ON, "Other")]
#[case::no_system_call(libc::ENOSYS, FREE, Seen::Absent, "KernelTooOld")]
#[case::unknown_flags(libc::EINVAL, FREE, Seen::Absent, "KernelTooOld")]
#[case::memlock(libc::ENOMEM, FREE, ON, "Limit")]
#[case::descriptors(libc::EMFILE, FREE, ON, "Limit")]
#[case::surprise(libc::EIO, FREE, ON, "Other")]
fn tells_who_refused(
    #[case] errno: i32,
    #[case] status: Option<&str>,
    #[case] disabled: Seen,
    #[case] want: &str,
) {
    let sights = sights(status, disabled);
    assert_eq!(told("io_uring_setup", errno, &sights), want);
}

#[rstest]
#[case("6.1.0-50-amd64", "Seccomp")]
#[case("6.6.1", "KernelTooOld")]
#[case("5.0.21", "KernelTooOld")]
#[case("mine", "KernelTooOld")]
fn before_the_sysctl_the_release_tells_whether_there_is_io_uring(
    #[case] release: &str,
    #[case] want: &str,
) {
    let mut sights = sights(FILTERED, Seen::Absent);
    sights.release = Some(release.to_owned());
    assert_eq!(told("io_uring_setup", libc::ENOSYS, &sights), want);
}

/// The root of a user namespace has every capability there and none that counts here.
#[rstest]
#[case::without_a_filter(ADMIN, "Disabled")]
#[case::with_a_filter(FILTERED_ADMIN, "Disabled")]
fn the_root_of_a_container_is_not_exempt(#[case] status: Option<&str>, #[case] want: &str) {
    let mut sights = sights(status, Seen::Value(1));
    sights.caller.user_namespace = Some(OWN.to_owned());
    assert_eq!(told("io_uring_setup", libc::EPERM, &sights), want);
}

/// Groups have other numbers in a user namespace, so whether the process is exempt cannot be told there.
#[rstest]
#[case::member(7, FIRST, FILTERED, "Seccomp")]
#[case::member_by_its_own_group(5, FIRST, FILTERED, "Seccomp")]
#[case::not_a_member(8, FIRST, FILTERED, "Disabled")]
#[case::cannot_be_told(7, OWN, FILTERED, "Unclear")]
#[case::cannot_be_told_and_nothing_else_is_there(7, OWN, FREE, "Disabled")]
fn the_group_of_the_sysctl_is_exempt(
    #[case] group: i64,
    #[case] namespace: &str,
    #[case] status: Option<&str>,
    #[case] want: &str,
) {
    let mut sights = sights(status, Seen::Value(1));
    sights.group = Seen::Value(group);
    sights.caller.user_namespace = Some(namespace.to_owned());
    assert_eq!(told("io_uring_setup", libc::EPERM, &sights), want);
}

#[rstest]
#[case::user(libc::ENOMEM, FREE, Shortage::LockedMemory, "RLIMIT_MEMLOCK")]
#[case::admin(libc::ENOMEM, ADMIN, Shortage::Memory, "control group")]
#[case::who_knows(libc::ENOMEM, None, Shortage::LockedMemory, "RLIMIT_MEMLOCK")]
#[case::descriptors(libc::EMFILE, ADMIN, Shortage::Descriptors, "RLIMIT_NOFILE")]
#[case::files(libc::ENFILE, FREE, Shortage::Files, "fs.file-max")]
fn a_limit_says_what_to_raise(
    #[case] errno: i32,
    #[case] status: Option<&str>,
    #[case] want: Shortage,
    #[case] text: &str,
    #[values("io_uring_setup", "io_uring_register")] operation: &'static str,
) {
    let error = io::Error::from_raw_os_error(errno);
    let refusal = classify(Refused { operation, error }, &sights(status, ON));
    let Refusal::Limit { shortage, .. } = &refusal else {
        panic!("{refusal}")
    };
    assert_eq!(*shortage, want);
    assert!(refusal.to_string().contains(text), "{refusal}");
}

#[test]
fn whoever_lets_the_kernel_look_at_parameters_has_not_refused() {
    let mut sights = sights(FILTERED, Seen::Value(1));
    sights.answer_to_nothing = Some(libc::EFAULT);
    assert_eq!(told("io_uring_setup", libc::EPERM, &sights), "Other");
}

#[rstest]
#[case(libc::EPERM, FILTERED, "Seccomp")]
#[case(libc::ENOSYS, FILTERED, "Seccomp")]
#[case(libc::EPERM, FREE, "Other")]
#[case(libc::EINVAL, FREE, "KernelTooOld")]
fn a_ring_that_was_given_and_may_not_be_used_is_filtered(
    #[case] errno: i32,
    #[case] status: Option<&str>,
    #[case] want: &str,
) {
    // The sysctl does not concern these calls.
    let sights = sights(status, Seen::Value(2));
    assert_eq!(told("io_uring_register", errno, &sights), want);
}
