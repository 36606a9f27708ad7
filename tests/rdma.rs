//! Lab tests: rdma.
