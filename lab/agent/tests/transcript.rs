use std::collections::BTreeSet;

/// What libtest prints while it runs tests one after the other: `test NAME ... ` when one begins,
/// `ok` or `FAILED` behind it when it has ended, a summary at the end.
#[derive(Debug)]
pub(super) struct Transcript {
    text: String,
    /// The names that may begin; what else looks like one was printed by a test.
    waiting: BTreeSet<String>,
    /// The line libtest begins with.
    header: String,
    /// Up to where lines were looked at.
    looked: usize,
    begun: Vec<Begun>,
    summary: Option<usize>,
}

#[derive(Debug)]
struct Begun {
    name: String,
    /// Where its line starts, and where what came of it does.
    line: usize,
    body: usize,
}

/// What libtest said of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Ok,
    Failed,
    Ignored,
    /// Nothing: it was still running.
    Nothing,
}

impl Transcript {
    /// Of a process that was asked to run these tests.
    pub(super) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Transcript {
        let waiting: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        let header = match waiting.len() {
            1 => "running 1 test".to_owned(),
            n => format!("running {n} tests"),
        };
        Transcript {
            text: String::new(),
            waiting,
            header,
            looked: 0,
            begun: Vec::new(),
            summary: None,
        }
    }

    /// Takes more of it; returns the names of the tests that began.
    pub(super) fn read(&mut self, more: &[u8]) -> Vec<String> {
        self.text.push_str(&String::from_utf8_lossy(more));
        let before = self.begun.len();
        while self.summary.is_none() {
            let rest = &self.text[self.looked..];
            let line = rest.lines().next().unwrap_or_default();
            let whole = rest.len() > line.len();
            if whole && (line == "failures:" || line.starts_with("test result: ")) {
                self.summary = Some(self.looked);
            } else if let Some((name, length)) =
                beginning(line).filter(|(name, _)| self.waiting.contains(*name))
            {
                let name = name.to_owned();
                self.waiting.remove(&name);
                self.begun.push(Begun {
                    name,
                    line: self.looked,
                    body: self.looked + length,
                });
            }
            if !whole {
                break;
            }
            self.looked += line.len() + 1;
        }
        let begun = self.begun[before..].iter();
        begun.map(|begun| begun.name.clone()).collect()
    }

    /// The tests that began, in order, and what was said of each.
    pub(super) fn begun(&self) -> impl Iterator<Item = (&str, Said)> {
        self.begun.iter().enumerate().map(|(i, begun)| {
            let next = self.begun.get(i + 1).map(|next| next.line);
            let end = next.or(self.summary).unwrap_or(self.text.len());
            (begun.name.as_str(), said(&self.text[begun.body..end]))
        })
    }

    /// Whether it begins with what was asked for and ends with a summary that counts what was seen.
    pub(super) fn is_complete(&self) -> bool {
        let mut lines = self.text.lines().filter(|line| !line.is_empty());
        if lines.next() != Some(&*self.header) {
            return false;
        }
        let count = |what| self.begun().filter(|(_, said)| *said == what).count();
        let counts = format!(
            ". {} passed; {} failed; {} ignored; ",
            count(Said::Ok),
            count(Said::Failed),
            count(Said::Ignored)
        );
        let summary = self.summary.map_or("", |at| &self.text[at..]);
        let last = summary.trim_end().lines().last().unwrap_or_default();
        last.starts_with("test result: ") && last.contains(&counts)
    }

    /// What a failed test printed.
    pub(super) fn output(&self, name: &str) -> &str {
        let heading = format!("---- {name} stdout ----\n");
        let Some(at) = self.text.find(&heading) else {
            return "";
        };
        let rest = &self.text[at + heading.len()..];
        let ends = ["\n---- ", "\nfailures:\n"].map(|end| rest.find(end).unwrap_or(rest.len()));
        &rest[..ends[0].min(ends[1])]
    }
}

/// The name of a line that says that a test begins, and how long that is.
fn beginning(line: &str) -> Option<(&str, usize)> {
    const BETWEEN: &str = " ... ";
    let rest = line.strip_prefix("test ")?;
    let end = rest.find(BETWEEN)?;
    let name = &rest[..end];
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    Some((name, "test ".len() + end + BETWEEN.len()))
}

/// Whatever the test and its children printed, libtest has the last word.
fn said(body: &str) -> Said {
    let body = body.trim_end();
    let last = body.lines().last().unwrap_or_default();
    if body.ends_with("FAILED") {
        Said::Failed
    } else if body.ends_with("ok") {
        Said::Ok
    } else if last.starts_with("ignored") {
        Said::Ignored
    } else {
        Said::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "\nrunning 5 tests\ntest a ... ok\ntest b::c ... FAILED\n\
        test d - should panic ... noise of a child\nmore of itok\ntest e ... ignored, why\n\n\
        failures:\n\n---- b::c stdout ----\n\nthread panicked\ntest f ... ok\n\n\nfailures:\n    b::c\n\n\
        test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.1s\n\n";
    const NAMES: [&str; 5] = ["a", "b::c", "d", "e", "f"];

    fn said(transcript: &Transcript) -> Vec<(&str, Said)> {
        transcript.begun().collect()
    }

    #[test]
    fn each_test_gets_what_was_said_of_it() {
        let mut transcript = Transcript::of(NAMES);
        transcript.read(ALL.as_bytes());
        let want = [
            ("a", Said::Ok),
            ("b::c", Said::Failed),
            ("d", Said::Ok),
            ("e", Said::Ignored),
        ];
        assert_eq!(said(&transcript), want);
        assert!(transcript.is_complete());
        assert!(transcript.output("b::c").contains("thread panicked"));
        assert_eq!(transcript.output("a"), "");
    }

    #[test]
    fn it_makes_no_difference_in_which_pieces_it_comes() {
        let mut transcript = Transcript::of(NAMES);
        let begun: Vec<String> = ALL
            .as_bytes()
            .chunks(1)
            .flat_map(|byte| transcript.read(byte))
            .collect();
        assert_eq!(begun, ["a", "b::c", "d", "e"]);
        assert!(transcript.is_complete());
        assert_eq!(said(&transcript)[2], ("d", Said::Ok));
    }

    #[test]
    fn a_test_that_runs_is_known_before_it_ends() {
        let mut transcript = Transcript::of(NAMES);
        assert_eq!(transcript.read(b"\nrunning 2 tests\ntest a ..."), [""; 0]);
        assert_eq!(transcript.read(b" "), ["a"]);
        assert_eq!(said(&transcript), [("a", Said::Nothing)]);
        assert_eq!(transcript.read(b"ok\ntest b::c ... "), ["b::c"]);
        assert_eq!(
            said(&transcript),
            [("a", Said::Ok), ("b::c", Said::Nothing)]
        );
        assert!(!transcript.is_complete());
    }

    #[test]
    fn a_summary_that_counts_otherwise_is_not_believed() {
        let mut transcript = Transcript::of(["a"]);
        let end = "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured\n";
        transcript.read(format!("\nrunning 1 test\ntest a ... ok\n\n{end}").as_bytes());
        assert!(!transcript.is_complete());
    }

    #[test]
    fn it_is_whole_from_the_header_to_the_summary_and_no_further() {
        let end = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";
        for (said, whole) in [
            (format!("\nrunning 1 test\ntest a ... ok\n\n{end}\n"), true),
            (format!("\nrunning 2 tests\ntest a ... ok\n\n{end}"), false),
            (format!("test a ... ok\n\n{end}"), false),
            (
                format!("noise\nrunning 1 test\ntest a ... ok\n\n{end}"),
                false,
            ),
            (
                format!("\nrunning 1 test\ntest a ... ok\n\n{end}more\n"),
                false,
            ),
            ("\nrunning 1 test\ntest a ... ok\n\n".to_owned(), false),
        ] {
            let mut transcript = Transcript::of(["a"]);
            transcript.read(said.as_bytes());
            assert_eq!(transcript.is_complete(), whole, "{said:?}");
        }
    }

    #[test]
    fn what_a_test_prints_in_another_tests_name_begins_none() {
        let mut transcript = Transcript::of(["a", "b"]);
        transcript.read(b"test a ... ok\ntest zzz ... FAILED\ntest b ... ok\n");
        let names: Vec<&str> = transcript.begun().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b"]);
    }
}
