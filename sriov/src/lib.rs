//! SR-IOV provisioning.
