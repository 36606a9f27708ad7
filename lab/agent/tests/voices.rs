use anyhow::{Context, Result};
use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt::PassCred,
};
use nix::unistd::Pid;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// How much of what others wrote is kept.
const SHOWN: usize = 16 * 1024;

/// The standard output of a process and of what it starts, told apart by who wrote what: a test
/// may run its own binary again, and what libtest says there is no verdict here.
///
/// A Unix socket on which the kernel names the writer of each piece (`SO_PASSCRED`).
pub(super) struct Voices {
    socket: UnixStream,
    others: Vec<u8>,
}

impl Voices {
    /// Also the end to write to.
    pub(super) fn new() -> Result<(Voices, OwnedFd)> {
        let (socket, output) = UnixStream::pair().context("make a socket for the output")?;
        setsockopt(&socket, PassCred, &true).context("ask who writes to the output")?;
        let voices = Voices {
            socket,
            others: Vec::new(),
        };
        Ok((voices, output.into()))
    }

    /// What this process wrote since the last call; what others did is kept for
    /// [`Voices::others`].
    pub(super) fn of(&mut self, speaker: Pid) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some((writer, bytes)) = self.piece() {
            if writer == Some(speaker) {
                said.extend(bytes);
            } else {
                self.others.extend(bytes);
                let surplus = self.others.len().saturating_sub(SHOWN);
                self.others.drain(..surplus);
            }
        }
        said
    }

    /// The end of what all others wrote.
    pub(super) fn others(&self) -> String {
        String::from_utf8_lossy(&self.others).into_owned()
    }

    /// What one process wrote, as far as it is there.
    fn piece(&self) -> Option<(Option<Pid>, Vec<u8>)> {
        let mut bytes = vec![0; 64 * 1024];
        let mut control = cmsg_space!(UnixCredentials);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let (length, writer) = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC,
        )
        .ok()
        .filter(|message| message.bytes > 0)
        .map(|message| {
            let mut writers = message.cmsgs().into_iter().flatten();
            let writer = writers.find_map(|control| match control {
                ControlMessageOwned::ScmCredentials(writer) => Some(Pid::from_raw(writer.pid())),
                _ => None,
            });
            (message.bytes, writer)
        })?;
        bytes.truncate(length);
        Some((writer, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn the_words_of_a_process_are_told_from_those_of_its_children() {
        let (mut voices, output) = Voices::new().unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", "echo one; (echo two; sh -c 'echo three'); echo four"])
            .stdout(Stdio::from(output))
            .spawn()
            .unwrap();
        let leader = Pid::from_raw(i32::try_from(shell.id()).unwrap());
        shell.wait().unwrap();
        assert_eq!(voices.of(leader), b"one\nfour\n");
        assert_eq!(voices.others(), "two\nthree\n");
        assert_eq!(voices.of(leader), b"");
    }
}
