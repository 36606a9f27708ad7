use super::cell::{Cell, Going, Moment, Situation, Work};
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

impl Table {
    fn row(&mut self, work: Work, situation: Situation) {
        let moments: Vec<_> = Moment::ALL
            .into_iter()
            .map(|moment| self.column(work, situation, moment))
            .collect();
        let fate = Cell::all(work, situation).next().unwrap().fate();
        self.text += &format!(
            "| {work} | {situation} | {} | {fate} |\n",
            moments.join(" | ")
        );
    }

    /// How many orders are run, and how many are listed for which reason.
    fn column(&mut self, work: Work, situation: Situation, moment: Moment) -> String {
        let cells = Cell::all(work, situation).filter(|cell| cell.moment == moment);
        let (mut run, mut listed) = (0, vec![0; self.reasons.len()]);
        for cell in cells {
            let Some(reason) = cell.reason_not_run() else {
                run += 1;
                continue;
            };
            let known = self.reasons.iter().position(|known| *known == reason);
            let number = known.unwrap_or_else(|| {
                self.reasons.push(reason);
                listed.push(0);
                self.reasons.len() - 1
            });
            listed[number] += 1;
        }
        self.run += run;
        self.listed += listed.iter().sum::<usize>();
        let listed = (1..).zip(listed).filter(|(_, count)| *count > 0);
        let listed: String = listed
            .map(|(number, count)| format!(", {count} ({number})"))
            .collect();
        format!("{run}{listed}")
    }
}

/// The lines for receives, of which all are run, and how many cells they are.
fn receives() -> (String, usize) {
    let (mut text, mut cells) = (String::new(), 0);
    for way in Way::ALL {
        for peer in Peer::ALL {
            let count = |moment| {
                let cells = Receiving::all(way, peer).filter(|cell| cell.moment == moment);
                cells.count()
            };
            let [queued, handed_over, told] = Moment::ALL.map(count);
            cells += queued + handed_over + told;
            text += &format!("| {way} | {peer} | {queued} | {handed_over} | {told} | unmapped |\n");
        }
    }
    (text, cells)
}

#[test]
fn the_table_for_people_is_the_matrix_that_is_run() {
    let mut table = Table::default();
    for work in Work::ALL {
        for situation in Situation::ALL {
            table.row(work, situation);
        }
    }
    let Table {
        text,
        run,
        listed,
        reasons,
    } = table;
    let axes = Work::ALL.len() * Situation::ALL.len() * Moment::ALL.len();
    assert_eq!(run + listed, axes * Going::all().len());
    let (receives, received) = receives();
    let ways = Way::ALL.len() * Peer::ALL.len() * Moment::ALL.len();
    assert_eq!(received, ways * Going::all().len());
    let run = run + received;
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
         | in flight | peer or kernel | queued | handed over | told | memory |\n\
         |---|---|---|---|---|---|\n{text}{receives}\nNot run:\n\n{reasons}",
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
