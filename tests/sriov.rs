//! Lab tests: sriov.
