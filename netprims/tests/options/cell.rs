//! A row of the table, and how it is written.

use netprims::tuning::Tuning;

use super::{On, Want};

/// One option.
pub(crate) struct Row {
    pub(crate) option: &'static str,
    /// The first kernel that has it; an older one may say that it does not.
    pub(crate) since: (u32, u32),
    pub(crate) set: Cell,
    pub(crate) clamp: Cell,
    pub(crate) refusal: Cell,
}

/// One thing to try.
#[expect(
    clippy::large_enum_variant,
    reason = "a table of constants, where nothing can be boxed"
)]
pub(crate) enum Cell {
    Ask {
        tuning: Tuning,
        on: On,
        /// What reading it back gives, where that does not depend on the host or the privilege.
        effective: Option<&'static str>,
        privileged: Want,
        nobody: Want,
    },
    /// There is nothing to try, and why.
    None(&'static str),
}

impl Row {
    /// Its lines of the table for people.
    pub(crate) fn lines(&self) -> String {
        let Self { option, .. } = self;
        let cells = [
            ("set", &self.set),
            ("clamp", &self.clamp),
            ("refusal", &self.refusal),
        ];
        let (major, minor) = self.since;
        let since = match (major, minor) {
            (2, 6) => String::new(),
            _ => format!("{major}.{minor}"),
        };
        let line = |(name, cell): &(&str, &Cell)| match cell {
            Cell::Ask {
                tuning,
                on,
                effective,
                privileged,
                nobody,
            } => {
                let requested = requested(tuning);
                let effective = effective.unwrap_or("");
                let (privileged, nobody) = (privileged.text(), nobody.text());
                format!(
                    "| {option} | {since} | {name} | {on:?} | {requested} | {effective} | {privileged} | {nobody} |\n"
                )
            }
            Cell::None(why) => format!("| {option} | {since} | {name} | | | | {why} | {why} |\n"),
        };
        cells.iter().map(line).collect()
    }
}

/// The one field that is asked for.
fn requested(tuning: &Tuning) -> String {
    let text = format!("{tuning:?}");
    let start = text.find("Some(").map_or(0, |at| at + "Some(".len());
    let mut depth = 1;
    let inside = |c: &char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth > 0
    };
    text[start..].chars().take_while(inside).collect()
}

/// As requested, whoever asks.
pub(crate) const fn granted(tuning: Tuning, on: On, effective: &'static str) -> Cell {
    let effective = Some(effective);
    let (privileged, nobody) = (Want::Granted, Want::Granted);
    Cell::Ask {
        tuning,
        on,
        effective,
        privileged,
        nobody,
    }
}

/// As requested, to who has the privilege.
pub(crate) const fn privileged(tuning: Tuning, on: On, nobody: Want) -> Cell {
    forced(tuning, on, Want::Granted, nobody)
}

/// One thing or another, by privilege.
pub(crate) const fn forced(tuning: Tuning, on: On, privileged: Want, nobody: Want) -> Cell {
    let effective = None;
    Cell::Ask {
        tuning,
        on,
        effective,
        privileged,
        nobody,
    }
}

/// Not as requested, whoever asks.
pub(crate) const fn differs(tuning: Tuning, on: On, want: Want) -> Cell {
    forced(tuning, on, want, want)
}

/// Not as requested, but this.
pub(crate) const fn differs_to(
    tuning: Tuning,
    on: On,
    want: Want,
    effective: &'static str,
) -> Cell {
    let effective = Some(effective);
    let (privileged, nobody) = (want, want);
    Cell::Ask {
        tuning,
        on,
        effective,
        privileged,
        nobody,
    }
}

/// An error, before the kernel is asked.
pub(crate) const fn invalid(tuning: Tuning, on: On) -> Cell {
    differs(tuning, on, Want::Invalid)
}

pub(crate) const fn row(option: &'static str, set: Cell, clamp: Cell, refusal: Cell) -> Row {
    let since = (2, 6);
    Row {
        option,
        since,
        set,
        clamp,
        refusal,
    }
}

impl Row {
    pub(crate) const fn since(mut self, major: u32, minor: u32) -> Self {
        self.since = (major, minor);
        self
    }
}
