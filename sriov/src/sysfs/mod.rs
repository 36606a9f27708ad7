//! The part of sysfs that SR-IOV needs (`Documentation/ABI/testing/sysfs-bus-pci`).

mod parse;
mod tree;

#[cfg(test)]
pub(crate) mod fake;

pub(crate) use tree::Tree;
