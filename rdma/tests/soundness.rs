//! What must not compile, and its nearest neighbour that must.
//!
//! Each file in `ui/fail` has a twin of the same name in `ui/pass`, so that a case cannot fail for
//! another reason than its own.

#[test]
fn misuse_does_not_compile_and_its_twin_does() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/fail/*.rs");
    cases.pass("tests/ui/pass/*.rs");
}

#[test]
fn every_case_has_a_twin() {
    let names = |folder: &str| -> Vec<_> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/ui")
            .join(folder);
        let files = std::fs::read_dir(path)
            .unwrap()
            .map(|file| file.unwrap().path());
        let sources = files.filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
        sources
            .map(|file| file.file_name().unwrap().to_owned())
            .collect()
    };
    let twins = names("pass");
    let alone: Vec<_> = names("fail")
        .into_iter()
        .filter(|name| !twins.contains(name))
        .collect();
    assert!(alone.is_empty(), "no twin in ui/pass: {alone:?}");
}
