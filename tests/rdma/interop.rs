//! Interoperation with rdma-core's `ibv_rc_pingpong`, `ibv_uc_pingpong`, `ibv_ud_pingpong` and
//! `ibv_srq_pingpong`.

use std::time::{Duration, Instant};

use lab_tests::{Lab, Rxe, gate};
use netprims_rdma::{Datagram, Path, Psn, Qkey, QpCap, Qpn, Wr};
use rstest::rstest;

use super::PORT;
use super::pair::{drain, index, open};
use super::program::{Program, Running};

/// A kind of ping-pong, of which there is a program of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rc,
    Uc,
    Ud,
    Srq,
}

/// How a side learns of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Polling,
    Events,
}

/// What both sides are told.
#[derive(Clone, Copy)]
struct Match {
    kind: Kind,
    manner: Manner,
    size: u32,
    iters: u32,
}

const MANNERS: [Manner; 2] = [Manner::Polling, Manner::Events];

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Rc => "rc_pingpong",
            Kind::Uc => "uc_pingpong",
            Kind::Ud => "ud_pingpong",
            Kind::Srq => "srq_pingpong",
        }
    }

    /// Bytes in a message: less than a word, some packets, many. A datagram is one packet.
    fn sizes(self) -> &'static [u32] {
        match self {
            Kind::Ud => &[1, 1024],
            Kind::Rc | Kind::Uc | Kind::Srq => &[1, 4097, 1 << 18],
        }
    }
}

impl Match {
    fn new(lab: &Lab, kind: Kind, manner: Manner, size: u32) -> Self {
        let iters = match size {
            100_000.. => lab.volume(5, 100),
            _ => lab.volume(30, 2000),
        };
        Match {
            kind,
            manner,
            size,
            iters,
        }
    }

    fn ours(&self, lab: &Lab, rxe: &Rxe) -> Program {
        let path = lab.program(self.kind.program());
        self.arguments(Program::new(path), rxe)
    }

    fn theirs(&self, rxe: &Rxe) -> Program {
        let name = format!("ibv_{}", self.kind.program());
        self.arguments(Program::new(name), rxe)
    }

    fn arguments(&self, program: Program, rxe: &Rxe) -> Program {
        let (size, iters, gid) = (self.size, self.iters, rxe.gid_index());
        let device = rxe.device();
        let program = program.words(&format!("-d {device} -g {gid} -s {size} -n {iters} -c"));
        match self.manner {
            Manner::Polling => program,
            Manner::Events => program.words("-e"),
        }
    }

    /// What both kinds of program print in the end.
    fn timed(&self, said: &str) {
        let iters = format!("{} iters in ", self.iters);
        assert!(
            said.contains(&iters) && said.contains("usec/iter"),
            "{said}"
        );
        assert!(!said.contains("invalid data"), "{said}");
    }

    /// What ours prints besides. Some more messages than wanted may be under way on several queue
    /// pairs, and they are checked as well.
    fn checked(&self, said: &str) {
        self.timed(said);
        let line = said.lines().find(|line| line.contains("messages checked"));
        let numbers: Vec<u64> = line
            .expect(said)
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        let [messages, bytes] = numbers[..] else {
            panic!("{said}")
        };
        let most = u64::from(self.iters) + if self.kind == Kind::Srq { 16 } else { 0 };
        assert!((u64::from(self.iters)..=most).contains(&messages), "{said}");
        assert_eq!(bytes, messages * u64::from(self.size), "{said}");
    }
}

impl Match {
    /// Has a message that is lost told soon.
    fn patience(&self) -> &'static str {
        match self.kind {
            Kind::Uc | Kind::Ud => "--patience 8",
            Kind::Rc | Kind::Srq => "",
        }
    }

    /// Plays to the end. Where the service may lose a message, after which nobody can play on, it is begun anew a few times;
    /// `begin` starts our side and theirs.
    fn play(&self, begin: impl Fn() -> (Running, Running)) {
        let is_reliable = matches!(self.kind, Kind::Rc | Kind::Srq);
        let mut more = if is_reliable { 0 } else { 3 };
        loop {
            let (ours, theirs) = begin();
            // Ours first: the other one would wait for ever for one that has failed.
            let (code, said) = ours.ends();
            if code != Some(0) && more > 0 && said.contains("a message was lost") {
                more -= 1;
                continue;
            }
            assert_eq!(code, Some(0), "{said}");
            self.checked(&said);
            self.timed(&theirs.succeeds());
            return;
        }
    }
}

/// Of one kind: each size, polling and sleeping.
fn matches(lab: &Lab, kind: Kind) -> Vec<Match> {
    let manners = MANNERS.into_iter();
    let sized = |manner| move |size: &u32| Match::new(lab, kind, manner, *size);
    manners
        .flat_map(|manner| kind.sizes().iter().map(sized(manner)))
        .collect()
}

#[rstest]
fn our_client_plays_with_rdma_cores_server(
    #[values(Kind::Rc, Kind::Uc, Kind::Ud, Kind::Srq)] kind: Kind,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        for game in matches(lab, kind) {
            game.play(|| {
                let server = game.theirs(&rxe).start();
                // The client waits for the server by itself.
                let client = game.ours(lab, &rxe).words(game.patience());
                let client = client.words(&rxe.address().to_string());
                (client.start(), server)
            });
        }
    });
}

#[rstest]
fn rdma_cores_client_plays_with_our_server(
    #[values(Kind::Rc, Kind::Uc, Kind::Ud, Kind::Srq)] kind: Kind,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        for game in matches(lab, kind) {
            game.play(|| {
                let mut server = game.ours(lab, &rxe).words(game.patience()).start();
                server.says("local address");
                let client = game.theirs(&rxe).words(&rxe.address().to_string());
                (server, client.start())
            });
        }
    });
}

#[rstest]
fn both_sides_ours_and_the_round_trips_measured(
    #[values(Kind::Rc, Kind::Uc, Kind::Ud, Kind::Srq)] kind: Kind,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        // One side polls while the other sleeps.
        let game = |manner| Match::new(lab, kind, manner, 700);
        let (polling, events) = (game(Manner::Polling), game(Manner::Events));
        let client = events.ours(lab, &rxe).words("--times");
        let client = client.words(&rxe.address().to_string()).start();
        let server = polling.ours(lab, &rxe).words("--times").start();
        let said = client.succeeds();
        events.checked(&said);
        // Each message of the client has an answer; those of several queue pairs may lack the last.
        assert!(said.contains(" round trips, usec: min "), "{said}");
        polling.checked(&server.succeeds());
    });
}

#[test]
fn a_payload_that_is_not_the_expected_one_fails_the_server() {
    gate(|lab| {
        let rxe = lab.rxe();
        let game = Match {
            kind: Kind::Rc,
            manner: Manner::Polling,
            size: 4096,
            iters: 20,
        };
        let mut server = game.ours(lab, &rxe).start();
        server.says("local address");
        // Without -c, the C client marks no pages. It waits for ever for a server that has left.
        let gid = rxe.gid_index();
        let client = Program::new("ibv_rc_pingpong")
            .words(&format!("-d {} -g {gid} -s 4096 -n 20", rxe.device()))
            .words(&rxe.address().to_string())
            .start();
        let said = server.fails(1);
        assert!(
            said.contains("message 0 is wrong at byte 0 of 4096"),
            "{said}"
        );
        drop(client);
    });
}

/// What is lost on a connection without acknowledgements is lost for ever, and so is an answer of one
/// that is gone.
#[rstest]
fn a_peer_that_is_gone_ends_the_game_in_bounded_time(
    #[values(Kind::Rc, Kind::Uc, Kind::Ud, Kind::Srq)] kind: Kind,
) {
    gate(|lab| {
        let rxe = lab.rxe();
        for manner in MANNERS {
            let game = Match {
                kind,
                manner,
                size: 100,
                iters: 1_000_000,
            };
            let mut server = game.theirs(&rxe).start();
            let client = game.ours(lab, &rxe).words("--patience 1");
            let mut client = client.words(&rxe.address().to_string()).start();
            client.says("remote address");
            server.kill();
            let start = Instant::now();
            let said = client.fails(1);
            assert!(
                said.contains("nothing heard from the peer for 1.0 s")
                    || said.contains("transport retries exceeded"),
                "{said}"
            );
            assert!(start.elapsed() < Duration::from_secs(60), "{said}");
        }
    });
}

#[test]
fn datagrams_of_strangers_are_no_part_of_the_game() {
    gate(|lab| {
        let rxe = lab.rxe();
        let game = Match {
            kind: Kind::Ud,
            manner: Manner::Polling,
            size: 100,
            iters: lab.volume(1500, 20_000),
        };
        let mut server = game.ours(lab, &rxe).start();
        let line = server.says("local address");
        let (_, number) = line.split_once("QPN 0x").unwrap();
        let number = u32::from_str_radix(&number[..6], 16).unwrap();

        let qkey = Qkey::new(0x1111_1111);
        let context = open(&rxe);
        let pd = context.alloc_pd().unwrap();
        let mut cq = context.create_cq(1).unwrap();
        let memory = pd.register_local(1, game.size).unwrap();
        let qp = pd.create_ud(&cq, &cq, QpCap::new(1, 0)).unwrap();
        let qp = qp.init(PORT, qkey).unwrap().rtr().unwrap();
        let mut stranger = qp.rts(Psn::new(1).unwrap()).unwrap();
        let gid = context.query_gid(PORT, index(&rxe)).unwrap().gid;
        let path = Path::from(PORT).to_gid(gid, index(&rxe));
        let to = Datagram::new(
            pd.create_ah(&path).unwrap(),
            Qpn::new(number).unwrap(),
            qkey,
        );

        let client = game.theirs(&rxe).words(&rxe.address().to_string());
        let client = client.start();
        server.says("remote address");
        // Fewer than the server has receives: one that is used up would cost the peer its message.
        for _ in 0..8 {
            let junk = memory.take().unwrap();
            stranger.post(Wr::send_to(junk, &to), 0).unwrap();
            drop(drain(&mut cq, &mut stranger));
        }
        game.checked(&server.succeeds());
        game.timed(&client.succeeds());
    });
}

/// What is wrong, and what is said of it.
const MISTAKES: [(Kind, &str, &str); 5] = [
    (Kind::Ud, "-s 2000", "the MTU of port 1 is 1024"),
    (Kind::Ud, "-m 512", "datagrams have no path MTU"),
    (Kind::Rc, "-m 4096", "packets of 4096 bytes are too large"),
    (Kind::Rc, "-q 2", "only those on a shared receive queue"),
    (Kind::Srq, "-q 16 -r 8", "8 receives are too few for 16"),
];

#[test]
fn what_cannot_be_played_is_refused_in_words() {
    gate(|lab| {
        let rxe = lab.rxe();
        for (kind, words, text) in MISTAKES {
            let program = Program::new(lab.program(kind.program()));
            // Nobody listens there: it is refused before anybody is asked.
            let words = format!("-d {} -g 1 {words} 127.0.0.1", rxe.device());
            let said = program.words(&words).start().fails(1);
            assert!(said.contains(text), "{words}: {said}");
        }
    });
}
