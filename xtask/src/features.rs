//! The features of the libraries.

/// All that need nothing of the machine, in the words of cargo. Left out is `netprims-rdma/link`, which needs libraries to
/// build: it is built with those of `linking.rs`, and nowhere else.
pub(crate) const ALL: &[&str] = &[
    "--features",
    "netprims/ring,netprims/serde,netprims/tokio,netprims-rdma/tokio",
];

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_feature_of_the_libraries_is_built_but_the_one_that_needs_libraries() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut named: Vec<String> = Vec::new();
        for package in ["netprims", "rdma", "sriov"] {
            let manifest = checkout.join(package).join("Cargo.toml");
            let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
            let name = manifest["package"]["name"].as_str().unwrap();
            let features = manifest
                .get("features")
                .and_then(|features| features.as_table());
            let features = features.into_iter().flat_map(|features| features.keys());
            named.extend(
                features
                    .filter(|feature| *feature != "default")
                    .map(|f| format!("{name}/{f}")),
            );
        }
        let all = ALL[1].split(',').chain(["netprims-rdma/link"]);
        let all: Vec<String> = all.map(str::to_owned).collect();
        let of = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(of(&named), of(&all));
    }
}
