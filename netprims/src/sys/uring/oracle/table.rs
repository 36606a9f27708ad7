use std::fmt::{self, Display};

use super::cell::{Cell, Going, Moment, Situation, Work};
use super::made::Made;
use super::receiving::{Peer, Receiving, Way};

/// What the matrix has, for people.
#[derive(Default)]
struct Table {
    text: String,
    run: usize,
    listed: usize,
    /// Why cells are not run, in the order of their numbers.
    reasons: Vec<&'static str>,
}

/// Cells of one moment that are run, and those that are listed, for each reason.
struct Column {
    run: usize,
    listed: Vec<usize>,
}

impl Table {
    /// All that is done with rings of one make. Rows of which nothing is run are put together.
    fn section(&mut self, made: Made) {
        self.text += &format!(
            "\n## {made}\n\n\
             | in flight | peer or kernel | queued | handed over | told | memory |\n\
             |---|---|---|---|---|---|\n"
        );
        let mut rest = Vec::new();
        for work in Work::ALL {
            for situation in Situation::ALL {
                let cells: Vec<_> = Cell::all(made, work, situation).collect();
                let fate = cells[0].fate().to_string();
                let cells = cells
                    .iter()
                    .map(|cell| (cell.moment, cell.reason_not_run()));
                let columns = self.columns(cells);
                self.row([&work, &situation, &fate], columns, &mut rest);
            }
        }
        for way in Way::ALL {
            for peer in Peer::ALL {
                let cells = Receiving::all(made, way, peer);
                let columns = self.columns(cells.map(|cell| (cell.moment, cell.reason_not_run())));
                self.row([&way, &peer, &"unmapped"], columns, &mut rest);
            }
        }
        if !rest.is_empty() {
            let columns = Moment::ALL.map(|_| rest.remove(0));
            let others = columns.map(|column| column.to_string()).join(" | ");
            self.text += &format!("| anything else | anything else | {others} | |\n");
        }
    }

    /// How many orders are run at each moment, and how many are listed for which reason.
    fn columns(
        &mut self,
        cells: impl Iterator<Item = (Moment, Option<&'static str>)>,
    ) -> [Column; 3] {
        let mut columns = Moment::ALL.map(|_| Column {
            run: 0,
            listed: Vec::new(),
        });
        for (moment, reason) in cells {
            let place = Moment::ALL.iter().position(|known| *known == moment);
            let column = &mut columns[place.unwrap()];
            let Some(reason) = reason else {
                column.run += 1;
                self.run += 1;
                continue;
            };
            let known = self.reasons.iter().position(|known| *known == reason);
            let number = known.unwrap_or_else(|| {
                self.reasons.push(reason);
                self.reasons.len() - 1
            });
            let least = column.listed.len().max(number + 1);
            column.listed.resize(least, 0);
            column.listed[number] += 1;
            self.listed += 1;
        }
        columns
    }

    fn row(
        &mut self,
        [what, who, fate]: [&dyn Display; 3],
        columns: [Column; 3],
        rest: &mut Vec<Column>,
    ) {
        if columns.iter().any(|column| column.run > 0) {
            let columns = columns.map(|column| column.to_string()).join(" | ");
            self.text += &format!("| {what} | {who} | {columns} | {fate} |\n");
            return;
        }
        if rest.is_empty() {
            rest.extend(columns);
            return;
        }
        for (sum, column) in rest.iter_mut().zip(columns) {
            sum.add(&column);
        }
    }
}

impl Column {
    fn add(&mut self, other: &Self) {
        let least = self.listed.len().max(other.listed.len());
        self.listed.resize(least, 0);
        for (sum, count) in self.listed.iter_mut().zip(&other.listed) {
            *sum += count;
        }
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.run)?;
        let listed = (1..).zip(&self.listed).filter(|(_, count)| **count > 0);
        for (number, count) in listed {
            write!(f, ", {count} ({number})")?;
        }
        Ok(())
    }
}

#[test]
fn the_table_for_people_is_the_matrix_that_is_run() {
    let mut table = Table::default();
    for made in Made::ALL {
        table.section(made);
    }
    let Table {
        text,
        run,
        listed,
        reasons,
    } = table;
    let rows = Work::ALL.len() * Situation::ALL.len() + Way::ALL.len() * Peer::ALL.len();
    let axes = Made::ALL.len() * rows * Moment::ALL.len();
    assert_eq!(run + listed, axes * Going::all().len());
    let reasons: String = (1..)
        .zip(reasons)
        .map(|(number, reason)| format!("{number}. {reason}\n"))
        .collect();
    let text = format!(
        "# Going away with work in flight\n\n\
         Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims --lib table_for_people`, from the cells that \
         `matrix.rs` and `receives.rs` run: {} cells, of which {run} are run and {listed} are listed with the reason why not. \
         Without `LAB_FULL` a run plays every fourth.\n\n\
         In each cell the work comes to its moment, and then ring, pool, socket and a buffer that an event brought go \
         away: in all 24 orders with the socket taken from the ring, in all 6 with it left there, with each of the \
         four passed to `mem::forget`, and by the unwinding of a panic of the ring's handler. At each step all that is free is overwritten past its owners, and \
         every access through its address is made to fail. Nothing may block; the peer gets what was \
         sent; what is free stays as it was overwritten; mapped is what somebody owns or the kernel keeps. \
         *Memory* says what becomes of the pool's when nothing was forgotten.\n\n\
         The buffer of a receive is one that was detached: it stays as it was received, and what is not kept is overwritten \
         when the ring has gone; the peer goes on sending.\n\n\
         A kernel without zero-copy receive without a device (before Linux 7.2), and one that does not let the process have \
         it, refuses those receives: `EINVAL` while it says that it has none, `EPERM`. They are listed by the run then.\n\n\
         With a thread for the queue, *queued* means that the thread may have it or not.\n\
         {text}\nNot run:\n\n{reasons}",
        run + listed,
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sys/uring/oracle/table.md");
    if std::env::var_os("NETPRIMS_TABLE").is_some_and(|what| what == "overwrite") {
        std::fs::write(path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    for (kept, line) in kept.lines().zip(text.lines()) {
        assert_eq!(kept, line, "oracle/table.md is not the table");
    }
    assert_eq!(kept.len(), text.len(), "one table is longer");
}
