//! The cases, by what decides them.

mod buffers;
mod congestion;
mod invalid;
mod kinds;
mod listening;
mod moments;
mod privilege;
mod remedies;
mod time;

use netprims::tuning::Tuning;

/// Asks for nothing yet.
const ASK: Tuning = Tuning::new();

/// Applies a tuning.
macro_rules! ask {
    ($tuning:expr) => {
        |socket, _| $tuning.apply(&socket.fd)
    };
}
use ask;

/// The name of a case: that of its test without the number.
fn name(context: &rstest::Context) -> &'static str {
    context.description.expect("each case has a name")
}
