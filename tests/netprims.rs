//! Lab tests: netprims.
