//! What became of the cells, for people.

use std::collections::BTreeMap;
use std::fmt;

use crate::work::LocalSide;

use super::cell::{Absent, Cell, Fate, Kind, Len, Opcode, Refusal};

/// How many manners came to what, of each kind of work and length.
#[derive(Default)]
pub(super) struct Table {
    /// Without a local side where it makes no difference.
    rows: BTreeMap<(Kind, Opcode, Option<LocalSide>), Row>,
}

type Row = BTreeMap<Len, BTreeMap<Fate, u32>>;

impl Table {
    pub(super) fn add(&mut self, cell: Cell) {
        let fate = cell.fate();
        let is_of_any = matches!(fate, Fate::Absent(Absent::OtherType | Absent::NoBytes));
        let local = (!is_of_any).then_some(cell.manner.local);
        let row = (cell.kind, cell.opcode, local);
        let fates = self
            .rows
            .entry(row)
            .or_default()
            .entry(cell.len)
            .or_default();
        *fates.entry(fate).or_default() += 1;
    }

    fn total(&self, wanted: impl Fn(&Fate) -> bool) -> u32 {
        let fates = self.rows.values().flat_map(Row::values).flatten();
        let counts = fates.filter(|(fate, _)| wanted(fate));
        counts.map(|(_, count)| count).sum()
    }
}

/// The letters of what did not run, and what they stand for.
const LEGEND: [(Fate, char, &str); 7] = [
    (
        Fate::Refused(Refusal::TooLong),
        'l',
        "refused: a datagram is one packet (`MessageTooLong`)",
    ),
    (
        Fate::Refused(Refusal::TooLongInline),
        'i',
        "refused: more than the requests of this queue pair carry in themselves (`InlineTooLong`)",
    ),
    (
        Fate::Refused(Refusal::NotEightBytes),
        'w',
        "refused: an atomic moves eight bytes (`WrongLength`)",
    ),
    (
        Fate::Absent(Absent::OtherType),
        't',
        "does not compile: the transport has no such request, or the crate's windows are not for it",
    ),
    (
        Fate::Absent(Absent::FetchesInline),
        'f',
        "does not compile: what is fetched needs memory to go to",
    ),
    (
        Fate::Absent(Absent::NoBytes),
        'k',
        "there is no such thing: the request is about a key, and moves no bytes",
    ),
    (
        Fate::Absent(Absent::BindIsAlone),
        'b',
        "does not compile: a bind is posted alone, and asks for its completion",
    ),
];

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lens: Vec<Len> = Len::SHORT.iter().chain(Len::LONG).copied().collect();
        write!(f, "| type | request | this side |")?;
        for len in &lens {
            match len {
                Len::Bytes(bytes) => write!(f, " {bytes} |")?,
                Len::Long => write!(f, " long |")?,
            }
        }
        writeln!(f, "\n|---|---|---|{}", "---|".repeat(lens.len()))?;
        for ((kind, opcode, local), row) in &self.rows {
            let side = match local {
                Some(_) if opcode.is_about_a_key() => String::from("no bytes"),
                Some(local) => name(local),
                None => String::from("any"),
            };
            write!(f, "| {} | {} | {side} |", name(kind), name(opcode))?;
            for len in &lens {
                let empty = BTreeMap::new();
                let fates = row.get(len).unwrap_or(&empty);
                let parts: Vec<String> = fates.iter().map(part).collect();
                write!(f, " {} |", parts.join(" "))?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        for (_, letter, text) in LEGEND {
            writeln!(f, "- {letter}: {text}")?;
        }
        let ran = self.total(|fate| *fate == Fate::Runs);
        let refused = self.total(|fate| matches!(fate, Fate::Refused(_)));
        let absent = self.total(|fate| matches!(fate, Fate::Absent(_)));
        writeln!(
            f,
            "\n{ran} run, {refused} are refused, {absent} there are not."
        )
    }
}

fn part((fate, count): (&Fate, &u32)) -> String {
    let letter = LEGEND.iter().find(|(of, ..)| of == fate);
    match letter {
        Some((_, letter, _)) => format!("{count}{letter}"),
        None => count.to_string(),
    }
}

/// A name in several words.
fn name(of: impl fmt::Debug) -> String {
    let text = format!("{of:?}");
    let mut words = String::new();
    for letter in text.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
