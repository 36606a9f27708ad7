//! Every kind of work, on every type of queue pair, in every manner and of every length: the bytes and values, what both
//! sides are told, and that nothing beside them changed. `table.md` is what comes of each.

mod cell;
mod held;
mod requests;
mod run;
mod table;

use lab_tests::{Lab, gate};
use netprims_rdma::Datagram;

use super::work::{LocalSide, Manner, Side, datagrams, every_manner, reliable, sides, unreliable};
use cell::{Cell, Fate, Kind, Len, Opcode};
use held::Held;
use requests::Requests;
use table::Table;

/// How much of the matrix a run has.
#[derive(Clone, Copy, Debug)]
struct Volume {
    /// How many bytes a long message has: as many as any kernel's Soft-RoCE carries, or a part of them.
    long: usize,
    /// One cell of so many is run: each request with each length, and each in each manner, but not all three together.
    step: usize,
}

impl Volume {
    fn of(lab: &Lab) -> Self {
        Volume {
            long: lab.volume(1 << 18, 1 << 23),
            step: lab.volume(8, 1),
        }
    }
}

/// With which lengths, and with which receive and completion queues, there is a pair of each kind. The longest messages take
/// their time.
fn pairs() -> Vec<(&'static [Len], Manner)> {
    let of_pairs = |manner: &Manner| manner.is_plain() && manner.local == LocalSide::One;
    let all = every_manner().into_iter().filter(of_pairs);
    let sampled = |manner: &Manner| manner.has_srq == manner.has_events;
    let long = all
        .clone()
        .filter(sampled)
        .map(|manner| (Len::LONG, manner));
    all.map(|manner| (Len::SHORT, manner)).chain(long).collect()
}

/// All cells of one kind of queue pair that a pair of one manner has, each with the number of its turn.
fn cells(kind: Kind, of: Manner, lens: &'static [Len]) -> Vec<(usize, Cell)> {
    let mut all = Vec::new();
    for (m, manner) in every_manner().into_iter().enumerate() {
        let same = Manner {
            has_srq: of.has_srq,
            has_events: of.has_events,
            is_extended: of.is_extended,
            ..manner
        };
        if manner != same || lens == Len::LONG && !manner.is_plain() {
            continue;
        }
        for (o, opcode) in Opcode::ALL.into_iter().enumerate() {
            all.extend(lens.iter().enumerate().map(|(l, &len)| {
                let cell = Cell {
                    kind,
                    opcode,
                    manner,
                    len,
                };
                (m + m / 4 + o + l, cell)
            }));
        }
    }
    all
}

/// Runs the cells of one pair whose turn it is, and says how many they are.
fn run<T: Requests>(
    (a, b): (Side<T>, Side<T>),
    to: Option<&Datagram>,
    cells: &[(usize, Cell)],
    volume: Volume,
) -> usize {
    let lens = cells.iter().map(|(_, cell)| cell.len.bytes(volume.long));
    let most = lens.max().unwrap_or(0);
    let (mut a, mut b) = (Held::new(a, most), Held::new(b, most));
    let is_turn = |turn: usize, cell: Cell| turn % volume.step == 0 || cell.len == Len::Long;
    let mut count = 0;
    for (_, cell) in cells.iter().filter(|(turn, cell)| is_turn(*turn, *cell)) {
        match cell.fate() {
            Fate::Runs => run::runs(*cell, volume.long, &mut a, &mut b, to),
            Fate::Refused(refusal) => run::refused(*cell, volume.long, refusal, &mut a, to),
            Fate::Absent(_) => continue,
        }
        count += 1;
    }
    count
}

#[test]
fn every_request_does_what_it_says_in_every_manner_and_nothing_else() {
    gate(|lab| {
        let rxe = lab.rxe();
        let volume = Volume::of(lab);
        let mut table = Table::default();
        let mut count = 0;
        for (lens, manner) in pairs() {
            for kind in Kind::ALL {
                let cells = cells(kind, manner, lens);
                cells.iter().for_each(|(_, cell)| table.add(*cell));
                count += match kind {
                    Kind::Rc => run(sides(&rxe, manner, reliable), None, &cells, volume),
                    Kind::Uc => run(sides(&rxe, manner, unreliable), None, &cells, volume),
                    Kind::Ud => {
                        let (a, b, to) = datagrams(&rxe, manner);
                        run((a, b), Some(&to), &cells, volume)
                    }
                };
            }
        }
        let text = table.to_string();
        println!("{text}\n{count} of those that run or are refused did so now.");
        assert!(
            include_str!("table.md").ends_with(&text),
            "table.md is another one; it ends with what was printed"
        );
    });
}
