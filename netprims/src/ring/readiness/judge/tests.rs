use rstest::rstest;

use super::*;

/// A queue that is ready: number 7 of eight, out of the spread, with a rule.
fn ready() -> Sights {
    Sights {
        interface: "eth0".into(),
        queue: 7,
        knows_queues: Some(true),
        release: Some("7.2.12".into()),
        is_capable: Some(true),
        device: Ok(Device {
            queues: Ok(8),
            rings: Ok(Rings {
                split: Some(true),
                threshold: Some(0),
            }),
            spread: Ok(Some(vec![0, 1, 2, 3, 4, 5, 6])),
            rules: Ok(vec![(rule(TCP_V4, 7), vec![])]),
        }),
    }
}

fn rule(flow: u32, action: u64) -> Rule {
    Rule {
        flow,
        action,
        context: 0,
    }
}

fn with(change: impl FnOnce(&mut Sights, &mut Device)) -> Sights {
    let mut sights = ready();
    let mut device = sights.device.clone().unwrap();
    change(&mut sights, &mut device);
    sights.device = Ok(device);
    sights
}

/// What is not met, as it is printed.
fn complaints(sights: &Sights) -> Vec<String> {
    let findings = findings(sights);
    assert!(
        findings
            .iter()
            .all(|finding| { finding.verdict != Verdict::Met || finding.remedy.is_none() })
    );
    let unmet = findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Met);
    unmet.map(ToString::to_string).collect()
}

#[test]
fn a_queue_that_is_ready_has_nothing_missing() {
    assert_eq!(complaints(&ready()), [""; 0]);
    let all: Vec<_> = findings(&ready())
        .iter()
        .map(|finding| finding.requirement)
        .collect();
    let want = [
        Kernel,
        Privilege,
        Interface,
        Queue,
        HeaderSplit,
        SplitThreshold,
        OutOfSpread,
        SteeringRule,
    ];
    assert_eq!(all, want);
}

type Change = fn(&mut Sights, &mut Device);

#[rstest]
#[case::old_kernel_that_tells(
    |sights: &mut Sights, _: &mut Device| sights.knows_queues = Some(false),
    "kernel: missing: Linux 7.2.12; zero-copy receive needs Linux 6.15"
)]
#[case::old_kernel(
    |sights: &mut Sights, _: &mut Device| { sights.knows_queues = None; sights.release = Some("6.12.95+deb13-amd64".into()) },
    "kernel: missing: Linux 6.12.95+deb13-amd64; zero-copy receive needs Linux 6.15"
)]
#[case::kernel_of_unknown_age(
    |sights: &mut Sights, _: &mut Device| { sights.knows_queues = None; sights.release = None },
    "kernel: unknown: Linux of unknown release; zero-copy receive needs Linux 6.15"
)]
#[case::no_privilege(
    |sights: &mut Sights, _: &mut Device| sights.is_capable = Some(false),
    "privilege: missing: CAP_NET_ADMIN is not held in the first user namespace; \
     run as root, or: setcap cap_net_admin+ep PROGRAM"
)]
#[case::no_such_queue(
    |_: &mut Sights, device: &mut Device| device.queues = Ok(7),
    "queue: missing: eth0 has 7 receive queues, numbered from 0; run: ethtool -L eth0 combined 8"
)]
#[case::queues_untold(
    |_: &mut Sights, device: &mut Device| device.queues = Err(libc::EOPNOTSUPP),
    "queue: unknown: Operation not supported (os error 95)"
)]
#[case::split_off(
    |_: &mut Sights, device: &mut Device| device.rings = Ok(Rings { split: Some(false), threshold: None }),
    "header split: missing: tcp-data-split is off; run: ethtool -G eth0 tcp-data-split on"
)]
#[case::no_split(
    |_: &mut Sights, device: &mut Device| device.rings = Ok(Rings { split: None, threshold: None }),
    "header split: missing: the device does not split headers, or does not say: one without support; \
     try: ethtool -G eth0 tcp-data-split on"
)]
#[case::threshold(
    |_: &mut Sights, device: &mut Device| device.rings = Ok(Rings { split: Some(true), threshold: Some(256) }),
    "header split threshold: missing: packets of up to 256 bytes are not split; run: ethtool -G eth0 hds-thresh 0"
)]
#[case::in_the_spread(
    |_: &mut Sights, device: &mut Device| device.spread = Ok(Some((0..8).collect())),
    "receive-side scaling: missing: packets of all kinds are spread to queue 7, too; run: ethtool -X eth0 equal 7"
)]
#[case::no_spread(
    |_: &mut Sights, device: &mut Device| device.spread = Ok(None),
    "receive-side scaling: unknown: eth0 tells of no table"
)]
#[case::no_rule(
    |_: &mut Sights, device: &mut Device| device.rules = Ok(vec![]),
    "steering rule: missing: 0 of 0 rules steer TCP to queue 7; \
     run: ethtool -K eth0 ntuple on && ethtool -N eth0 flow-type tcp4 dst-port PORT action 7"
)]
#[case::no_rules_to_be_had(
    |_: &mut Sights, device: &mut Device| device.rules = Err(libc::EOPNOTSUPP),
    "steering rule: missing: eth0 has no rules: a device without support"
)]
fn what_is_missing_is_told_with_what_would_help(#[case] change: Change, #[case] want: &str) {
    assert_eq!(complaints(&with(change)), [want]);
}

#[test]
fn a_device_without_rings_is_one_without_support() {
    let sights = with(|_, device| device.rings = Err(libc::EOPNOTSUPP));
    let seen = "missing: eth0 tells nothing of its rings: a device without support";
    let want = [
        format!("header split: {seen}"),
        format!("header split threshold: {seen}"),
    ];
    assert_eq!(complaints(&sights), want);
}

#[test]
fn an_interface_that_is_not_there_ends_the_look() {
    let mut sights = ready();
    sights.device = Err(libc::ENODEV);
    let want = ["interface: missing: No such device (os error 19); see: ip link"];
    assert_eq!(complaints(&sights), want);
}

#[rstest]
#[case::one_queue(1, "run: ethtool -L eth0 combined 2")]
#[case::eight(8, "run: ethtool -X eth0 start 1 equal 7")]
fn the_first_queue_is_spared_by_starting_behind_it(#[case] queues: u32, #[case] want: &str) {
    let sights = with(|sights, device| {
        sights.queue = 0;
        device.queues = Ok(queues);
        device.spread = Ok(Some((0..queues).collect()));
    });
    let findings = findings(&sights);
    let spread = findings
        .iter()
        .find(|finding| finding.requirement == OutOfSpread)
        .unwrap();
    assert_eq!(spread.remedy.as_deref(), Some(want));
}

#[rstest]
#[case::tcp4(rule(TCP_V4, 7), &[], true)]
#[case::tcp6_with_flags(rule(TCP_V6 | 0x8000_0000, 7), &[], true)]
#[case::ethernet(rule(ETHERNET, 7), &[], true)]
#[case::another_queue(rule(TCP_V4, 6), &[], false)]
#[case::udp(rule(2, 7), &[], false)]
#[case::of_a_virtual_function(rule(TCP_V4, 1 << 32 | 7), &[], false)]
#[case::drops(rule(TCP_V4, u64::MAX), &[], false)]
#[case::context(rule(TCP_V4 | FLOW_HAS_CONTEXT, 0), &[6, 7], true)]
#[case::context_with_an_offset(rule(TCP_V4 | FLOW_HAS_CONTEXT, 5), &[1, 2], true)]
#[case::context_of_other_queues(rule(TCP_V4 | FLOW_HAS_CONTEXT, 7), &[1, 2], false)]
#[case::context_with_a_huge_offset(rule(TCP_V4 | FLOW_HAS_CONTEXT, 0xffff_ffff), &[8], false)]
fn a_rule_leads_to_its_queue(#[case] rule: Rule, #[case] table: &[u32], #[case] want: bool) {
    assert_eq!(leads_to(&rule, table, 7), want);
}
