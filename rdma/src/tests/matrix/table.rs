//! The matrix, for people.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::cell::{Cell, Fate, Moment, Work, reason_not_run};

/// What stands above the table.
const HEAD: &str = "\
# Going away with work in flight

Written by `NETPRIMS_TABLE=overwrite cargo test -p netprims-rdma --lib table_for_people`, from the cells that `mod.rs` runs.

In each cell the work comes to its moment, and then all that the program holds goes away: in every order, with the
domain, the channel and the device before or after the rest, with nobody, one of them or everybody passed to `mem::forget`.
After each step the device does once more all that it still may, peers try every key they know and guess others, a new
queue pair is handed the completions that an old one left; then what nobody holds must be as it was overwritten, what the
program holds as it was, nothing unmapped or deregistered be in use, and no object end before those that use it. When all
has gone and nothing was forgotten or stuck, nothing is left.

A number is how many cells are played with `LAB_FULL` set; without it, every forty-first is.
";

#[test]
fn the_table_for_people_is_that_of_the_cells() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/matrix/table.md");
    let table = table();
    if std::env::var_os("NETPRIMS_TABLE").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    assert!(written == table, "write it anew, as its head says");
}

fn table() -> String {
    let mut reasons: Vec<&str> = Vec::new();
    let (mut run, mut rows) = (0, String::new());
    for work in Work::ALL {
        for fate in Fate::ALL {
            write!(rows, "| {work:?} | {fate:?} |").unwrap();
            for moment in Moment::ALL {
                if let Some(reason) = reason_not_run(work, moment, fate) {
                    let known = reasons.iter().position(|known| *known == reason);
                    let number = known.unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    write!(rows, " ({}) |", number + 1).unwrap();
                } else {
                    let cells = Cell::of(work, moment, fate).count();
                    run += cells;
                    write!(rows, " {cells} |").unwrap();
                }
            }
            rows.push('\n');
        }
    }
    let mut table = format!("{HEAD}\n{run} cells.\n\n| work | what becomes of it |");
    for moment in Moment::ALL {
        write!(table, " {moment:?} |").unwrap();
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---|".repeat(Moment::ALL.len()));
    table.push('\n');
    table.push_str(&rows);
    table.push('\n');
    for (number, reason) in (1..).zip(reasons) {
        writeln!(table, "{number}. Not run: {reason}.").unwrap();
    }
    table
}
