//! How the command ends.

use std::process::ExitCode;

use crate::interrupt::Interrupted;

/// What `--help` says of it.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done
  1    failed
  2    the arguments are not understood
  3    there is no RDMA library, or no RDMA device
  130  interrupted (Ctrl-C)";

/// The code for an error.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    use netprims_rdma::Error::{LibraryMissing, LibraryTooOld, NoDevice};
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return ExitCode::from(130);
        }
        let lacks = matches!(
            cause.downcast_ref(),
            Some(LibraryMissing { .. } | LibraryTooOld { .. } | NoDevice)
        );
        if lacks {
            return ExitCode::from(3);
        }
    }
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context as _, anyhow};

    #[test]
    fn what_a_machine_lacks_has_a_code_of_its_own_whatever_was_being_done() {
        let missing = || netprims_rdma::Error::LibraryMissing {
            reason: String::from("no such file"),
        };
        let said = |error: &anyhow::Error| format!("{:?}", code(error));
        let code = |number: u8| format!("{:?}", ExitCode::from(number));
        assert_eq!(said(&missing().into()), code(3));
        let nested = Err::<(), _>(netprims_rdma::Error::NoDevice).context("listing");
        assert_eq!(said(&nested.unwrap_err()), code(3));
        assert_eq!(said(&Interrupted.into()), code(130));
        assert_eq!(said(&anyhow!("something else")), code(1));
    }
}
