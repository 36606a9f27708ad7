//! Misuse that must not compile. Each case in `ui/` has a twin, `…_ok.rs`, that differs in the misuse
//! only and does.

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    for case in [
        "count_from_an_index",
        "mac_from_bare_bytes",
        "pf_by_a_bare_name",
        "pf_out_of_nothing",
        "qos_in_place_of_a_vlan_id",
        "unchecked_vlan_id",
        "vf_from_a_bare_number",
        "vlan_from_a_bare_number",
    ] {
        cases.compile_fail(format!("tests/ui/{case}.rs"));
        cases.pass(format!("tests/ui/{case}_ok.rs"));
    }
}
