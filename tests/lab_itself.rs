//! Lab tests: lab_itself.
