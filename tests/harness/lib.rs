//! The harness lab tests run under.
