//! The harness of the lab's tests: a gate around each body that counts kernel objects before and
//! after, inside the test's own process, and guards for the devices a test needs.
//!
//! ```no_run
//! #[test]
//! fn a_queue_pair_is_gone_after_drop() {
//!     lab_tests::gate(|lab| {
//!         let rxe = lab.rxe();
//!         println!("{} {}", rxe.device(), rxe.address());
//!     });
//! }
//! ```

mod gate;
mod igb;
mod netdevsim;
mod rxe;
mod rxe_pair;
mod virtio_pair;

pub use gate::{Lab, gate};
pub use igb::{Igb, IgbPf};
pub use netdevsim::Netdevsim;
pub use rxe::Rxe;
pub use rxe_pair::RxePair;
pub use virtio_pair::{VirtioNic, VirtioPair};
