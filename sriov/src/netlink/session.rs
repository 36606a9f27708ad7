//! Requests and their answers over a [`Transport`].

use std::io;

use super::ack::Ack;
use super::wire::{
    Malformed, Message, Messages, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP,
    NLMSG_OVERRUN, Request,
};
use crate::sys::Transport;

/// How often a dump is repeated that changed while it was read.
const DUMP_ATTEMPTS: u32 = 16;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The socket failed.
    Io(io::Error),
    /// The kernel refused.
    Refused(Ack),
    /// The answer makes no sense.
    Malformed(Malformed),
    /// The world changed during each attempt to read it whole.
    Inconsistent,
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// One socket and the numbering of its requests.
pub(crate) struct Session {
    transport: Box<dyn Transport>,
    sequence: u32,
    datagram: Vec<u8>,
}

enum Step {
    More,
    Finished,
}

impl Session {
    pub(crate) fn new(transport: Box<dyn Transport>) -> Self {
        Self {
            transport,
            sequence: 0,
            datagram: Vec::new(),
        }
    }

    /// Sends a request whose only answer is an acknowledgement.
    pub(crate) fn command(&mut self, request: Request) -> Result<(), Failure> {
        self.send(request)?;
        self.receive(|_| Ok(Step::More))?;
        Ok(())
    }

    /// Sends a request that is answered by one message, or an error.
    ///
    /// Not to be sent with `NLM_F_ACK`: an answer larger than the receive buffer leaves no room
    /// for the acknowledgement, and the kernel drops it.
    pub(crate) fn ask<T>(
        &mut self,
        request: Request,
        parse: impl Fn(&Message<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Failure> {
        self.send(request)?;
        let mut answer = None;
        self.receive(|message| {
            answer = Some(parse(message)?);
            Ok(Step::Finished)
        })?;
        answer.ok_or(Failure::Malformed(Malformed(
            "acknowledgement in place of an answer",
        )))
    }

    /// Reads a whole table; again from the start if it changed meanwhile.
    pub(crate) fn dump<T>(
        &mut self,
        request: impl Fn() -> Request,
        parse: impl Fn(&Message<'_>) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Failure> {
        for _ in 0..DUMP_ATTEMPTS {
            self.send(request())?;
            let mut rows = Ok(Vec::new());
            let interrupted = self.receive(|message| {
                // Read on to the end in any case: the kernel takes no other dump before that.
                if let Ok(read) = &mut rows {
                    match parse(message) {
                        Ok(row) => read.push(row),
                        Err(malformed) => rows = Err(malformed),
                    }
                }
                Ok(Step::More)
            })?;
            if !interrupted {
                return rows.map_err(Failure::Malformed);
            }
        }
        Err(Failure::Inconsistent)
    }

    fn send(&mut self, request: Request) -> Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = request.finish(self.sequence);
        self.transport.send(&bytes).map_err(Failure::Io)
    }

    /// Receives until the answer is complete. Messages with another sequence number answer a
    /// request that was given up, and are passed over. Returns whether a dump was interrupted.
    fn receive(
        &mut self,
        mut on_data: impl FnMut(&Message<'_>) -> Result<Step, Malformed>,
    ) -> Result<bool, Failure> {
        let mut interrupted = false;
        loop {
            self.transport
                .receive(&mut self.datagram)
                .map_err(Failure::Io)?;
            for message in Messages(&self.datagram) {
                let message = message?;
                if message.sequence != self.sequence {
                    continue;
                }
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                let ack = match message.kind {
                    NLMSG_NOOP => continue,
                    NLMSG_OVERRUN => return Err(Malformed("lost messages").into()),
                    NLMSG_ERROR => Ack::of_error(&message)?,
                    NLMSG_DONE => Ack::of_done(&message)?,
                    _ => match on_data(&message)? {
                        Step::More => continue,
                        Step::Finished => return Ok(interrupted),
                    },
                };
                return match ack.errno {
                    0 => Ok(interrupted),
                    _ => Err(Failure::Refused(ack)),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Datagram, Reply, ScriptedTransport};
    use super::*;

    fn session(replies: Vec<Datagram>) -> Session {
        Session::new(Box::new(ScriptedTransport::new(replies)))
    }

    fn request() -> Request {
        Request::new(18, 0)
    }

    #[test]
    fn passes_over_answers_to_a_request_given_up() {
        let mut session = session(vec![
            vec![
                Reply::message(16, b"old!").of_sequence(0),
                Reply::message(16, b"new!"),
            ]
            .into(),
        ]);
        let answer = session.ask(request(), |message| Ok(message.payload.to_vec()));
        assert_eq!(answer.unwrap(), b"new!");
    }

    #[test]
    fn reads_a_dump_again_when_it_was_interrupted() {
        let mut session = session(vec![
            vec![
                Reply::message(16, b"aaaa").with_flags(NLM_F_DUMP_INTR),
                Reply::done(0),
            ]
            .into(),
            vec![Reply::message(16, b"bbbb"), Reply::done(0)].into(),
        ]);
        let rows = session.dump(request, |message| Ok(message.payload.to_vec()));
        assert_eq!(rows.unwrap(), [b"bbbb"]);
    }

    #[test]
    fn gives_up_on_a_dump_that_never_holds_still() {
        let attempts = usize::try_from(DUMP_ATTEMPTS).unwrap();
        let replies = (0..attempts)
            .map(|_| vec![Reply::done(0).with_flags(NLM_F_DUMP_INTR)].into())
            .collect();
        let rows = session(replies).dump(request, |_| Ok(()));
        assert!(matches!(rows, Err(Failure::Inconsistent)));
    }

    #[test]
    fn a_dump_that_ends_in_an_error_is_an_error() {
        let mut session = session(vec![vec![Reply::done(-90)].into()]);
        let rows = session.dump(request, |_| Ok(()));
        assert!(matches!(rows, Err(Failure::Refused(Ack { errno: 90, .. }))));
    }

    #[test]
    fn an_acknowledgement_is_no_answer() {
        let mut session = session(vec![vec![Reply::error(0)].into()]);
        let answer = session.ask(request(), |_| Ok(()));
        assert!(matches!(answer, Err(Failure::Malformed(_))));
    }

    #[test]
    fn a_failing_socket_is_an_error_and_the_next_request_starts_afresh() {
        let mut session = session(vec![
            Reply::fails(105),
            vec![Reply::error(-1)].into(),
            vec![Reply::error(0)].into(),
        ]);
        let first = session.command(request());
        assert!(matches!(first, Err(Failure::Io(e)) if e.raw_os_error() == Some(105)));
        let second = session.command(request());
        assert!(matches!(
            second,
            Err(Failure::Refused(Ack { errno: 1, .. }))
        ));
        session.command(request()).unwrap();
    }
}
