//! A row of the table, and how it is written.

use netprims::tuning::Tuning;

use super::raw::Raw;
use super::{On, Want};

/// One option.
pub(crate) struct Row {
    pub(crate) option: &'static str,
    /// Its level and number, as the kernel's headers have them.
    pub(crate) number: (i32, i32),
    /// The first kernel that has it, where some that are in use do not.
    pub(crate) since: Option<Kernel>,
    pub(crate) set: Cell,
    pub(crate) clamp: Cell,
    pub(crate) refusal: Cell,
}

/// Its major and minor number.
pub(crate) type Kernel = (u32, u32);

/// One thing to try.
#[derive(Clone, Copy)]
#[expect(
    clippy::large_enum_variant,
    reason = "a table of constants, where nothing can be boxed"
)]
pub(crate) enum Cell {
    Ask(Ask),
    /// There is nothing to try, and why.
    Listed(&'static str),
}

#[derive(Clone, Copy)]
pub(crate) struct Ask {
    /// What is asked for first, if it is another value than the one it is about.
    pub(crate) first: Option<Tuning>,
    pub(crate) tuning: Tuning,
    pub(crate) on: On,
    /// What reading it back gives, where that does not depend on the host or the privilege.
    pub(crate) effective: Option<&'static str>,
    /// What the kernel must have once it is granted, and of which options, if not of the row's.
    pub(crate) raw: Option<Raw<'static>>,
    pub(crate) at: &'static [(i32, i32)],
    pub(crate) wants: Wants,
    pub(crate) older: Option<Older>,
}

/// By privilege.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    pub(crate) root: Want,
    pub(crate) nobody: Want,
}

/// What older kernels do otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Older {
    pub(crate) before: Kernel,
    pub(crate) wants: Wants,
    /// Whether some of them do as the newer ones.
    pub(crate) taken_over: bool,
}

/// How many cells there are of a kind.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) run: usize,
    pub(crate) listed: usize,
}

impl Row {
    /// Its lines of the table for people.
    pub(crate) fn lines(&self, count: &mut Count) -> String {
        let option = self.option;
        let mut text = String::new();
        for (name, cell) in [
            ("set", self.set),
            ("clamp", self.clamp),
            ("refusal", self.refusal),
            ("unknown", self.unknown()),
        ] {
            let ask = match cell {
                Cell::Ask(ask) => ask,
                Cell::Listed(why) => {
                    count.listed += 2;
                    text += &format!(
                        "| {option} | | {name} | | | | not run: {why} | not run: {why} |\n"
                    );
                    continue;
                }
            };
            count.run += 2;
            let mut line = |linux: &str, effective: &str, wants: Wants| {
                let (on, asked) = (ask.on, ask.asked());
                let [root, nobody] = [wants.root, wants.nobody].map(|want| match (want, name) {
                    (Want::Granted, "clamp") => "taken as it is".to_owned(),
                    (want, _) => want.text(),
                });
                text += &format!(
                    "| {option} | {linux} | {name} | {on:?} | {asked} | {effective} | {root} | {nobody} |\n"
                );
            };
            let effective = ask.effective.unwrap_or_default();
            match ask.older {
                None => line(&self.linux(name == "unknown"), effective, ask.wants),
                Some(older) => {
                    let (major, minor) = older.before;
                    line(&format!("since {major}.{minor}"), effective, ask.wants);
                    let but = if older.taken_over {
                        ", if not taken over"
                    } else {
                        ""
                    };
                    line(&format!("before {major}.{minor}{but}"), "", older.wants);
                }
            }
        }
        text
    }

    /// On a kernel that does not have it.
    pub(crate) fn unknown(&self) -> Cell {
        let Cell::Ask(ask) = self.set else {
            return self.set;
        };
        Cell::Ask(Ask {
            first: None,
            effective: None,
            wants: both(Want::NotSupported),
            older: None,
            ..ask
        })
    }

    /// The kernels that have it, or those that do not.
    fn linux(&self, without: bool) -> String {
        let word = if without { "before" } else { "since" };
        let since = self
            .since
            .map(|(major, minor)| format!("{word} {major}.{minor}"));
        since.unwrap_or_default()
    }

    pub(crate) const fn since(mut self, major: u32, minor: u32) -> Self {
        self.since = Some((major, minor));
        self
    }
}

impl Ask {
    fn asked(&self) -> String {
        let first = self.first.map(|tuning| requested(&tuning) + ", then ");
        first.unwrap_or_default() + &requested(&self.tuning)
    }
}

impl Cell {
    const fn ask(tuning: Tuning, on: On, effective: Option<&'static str>, wants: Wants) -> Self {
        Self::Ask(Ask {
            first: None,
            tuning,
            on,
            effective,
            raw: None,
            at: &[],
            wants,
            older: None,
        })
    }

    /// What the kernel must have once it is granted.
    pub(crate) const fn raw(mut self, raw: Raw<'static>) -> Self {
        if let Self::Ask(ask) = &mut self {
            ask.raw = Some(raw);
        }
        self
    }

    /// And of which options it has it.
    pub(crate) const fn at(mut self, options: &'static [(i32, i32)]) -> Self {
        if let Self::Ask(ask) = &mut self {
            ask.at = options;
        }
        self
    }

    /// What older kernels did otherwise.
    pub(crate) const fn before(self, before: Kernel, root: Want, nobody: Want) -> Self {
        self.older(Older {
            before,
            wants: Wants { root, nobody },
            taken_over: false,
        })
    }

    /// What older kernels did otherwise, unless their maintainers took over what newer ones do.
    pub(crate) const fn before_it_was_taken_over(self, before: Kernel, want: Want) -> Self {
        self.older(Older {
            before,
            wants: both(want),
            taken_over: true,
        })
    }

    const fn older(mut self, older: Older) -> Self {
        if let Self::Ask(ask) = &mut self {
            ask.older = Some(older);
        }
        self
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

const fn both(want: Want) -> Wants {
    Wants {
        root: want,
        nobody: want,
    }
}

/// As requested, whoever asks.
pub(crate) const fn granted(
    tuning: Tuning,
    on: On,
    effective: &'static str,
    raw: Raw<'static>,
) -> Cell {
    Cell::ask(tuning, on, Some(effective), both(Want::Granted)).raw(raw)
}

/// A flag is never clamped: it can be put on and off again.
pub(crate) const fn off_again(on: Tuning, off: Tuning, socket: On) -> Cell {
    back(on, off, socket, "off", Raw::OFF)
}

/// There are two values, and one can be had after the other.
pub(crate) const fn back(
    first: Tuning,
    tuning: Tuning,
    on: On,
    effective: &'static str,
    raw: Raw<'static>,
) -> Cell {
    let mut cell = granted(tuning, on, effective, raw);
    if let Cell::Ask(ask) = &mut cell {
        ask.first = Some(first);
    }
    cell
}

/// As requested, to who has the privilege.
pub(crate) const fn privileged(tuning: Tuning, on: On, nobody: Want, raw: Raw<'static>) -> Cell {
    forced(tuning, on, Want::Granted, nobody).raw(raw)
}

/// One thing or another, by privilege.
pub(crate) const fn forced(tuning: Tuning, on: On, root: Want, nobody: Want) -> Cell {
    Cell::ask(tuning, on, None, Wants { root, nobody })
}

/// Not as requested, whoever asks.
pub(crate) const fn differs(tuning: Tuning, on: On, want: Want) -> Cell {
    Cell::ask(tuning, on, None, both(want))
}

/// Not as requested, but this.
pub(crate) const fn differs_to(
    tuning: Tuning,
    on: On,
    want: Want,
    effective: &'static str,
) -> Cell {
    Cell::ask(tuning, on, Some(effective), both(want))
}

/// An error, before the kernel is asked.
pub(crate) const fn invalid(tuning: Tuning, on: On) -> Cell {
    differs(tuning, on, Want::Invalid)
}

/// Nothing that has sockets refuses it.
pub(crate) const fn no_socket(tuning: Tuning) -> Cell {
    differs(tuning, On::File, Want::NoSocket)
}

pub(crate) const fn row(
    option: &'static str,
    number: (i32, i32),
    set: Cell,
    clamp: Cell,
    refusal: Cell,
) -> Row {
    Row {
        option,
        number,
        since: None,
        set,
        clamp,
        refusal,
    }
}
