use netprims::ring::readiness::{Readiness, Requirement, Verdict};

use crate::answers::{Has, has};
use crate::host;

fn verdict(readiness: &Readiness, requirement: Requirement) -> Verdict {
    let mut findings = readiness.findings().iter();
    let finding = findings.find(|finding| finding.requirement == requirement);
    finding.unwrap().verdict
}

#[test]
fn the_loopback_device_is_not_ready_and_the_text_says_why() {
    let readiness = Readiness::check("lo", 0).unwrap();
    assert!(!readiness.is_ready());
    for requirement in [
        Requirement::HeaderSplit,
        Requirement::SplitThreshold,
        Requirement::SteeringRule,
    ] {
        assert_eq!(verdict(&readiness, requirement), Verdict::Unmet);
    }
    let text = readiness.to_string();
    assert!(text.contains("a device without support"), "{text}");
    assert_eq!(text.lines().count(), readiness.findings().len());
}

#[test]
fn kernel_and_privilege_are_what_they_are() {
    let readiness = Readiness::check("lo", 0).unwrap();
    let met = |is_met| if is_met { Verdict::Met } else { Verdict::Unmet };
    let kernel = verdict(&readiness, Requirement::Kernel);
    assert_eq!(kernel, met(has() != Has::Neither));
    let privilege = verdict(&readiness, Requirement::Privilege);
    assert_eq!(privilege, met(host::is_root()));
}

#[test]
fn an_interface_that_is_not_there_is_missing() {
    let readiness = Readiness::check("none-such", 0).unwrap();
    assert_eq!(verdict(&readiness, Requirement::Interface), Verdict::Unmet);
    assert!(readiness.to_string().ends_with("see: ip link"));
}
