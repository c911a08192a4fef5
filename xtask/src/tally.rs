//! What passed, failed and was skipped.

use std::fmt;

/// Counts of tests, checks and suite steps, with a reason for each that did not pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) reasons: Vec<String>,
}

impl Tally {
    pub(crate) fn pass() -> Self {
        Self { passed: 1, ..Self::default() }
    }

    pub(crate) fn fail(reason: String) -> Self {
        Self { failed: 1, reasons: vec![format!("FAILED {reason}")], ..Self::default() }
    }

    pub(crate) fn skip(reason: String) -> Self {
        Self { skipped: 1, reasons: vec![format!("SKIPPED {reason}")], ..Self::default() }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        let Tally { passed, failed, skipped, reasons } = other;
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
        self.reasons.extend(reasons);
    }

    /// Reads a line that `cargo test` printed.
    pub(crate) fn read_cargo_test(&mut self, line: &str) {
        if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.reasons.push(format!("FAILED {name}"));
        }
        let Some((_, counts)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count
                .split_once(' ')
                .and_then(|(number, what)| Some((number.parse::<u64>().ok()?, what)))
            {
                Some((number, "passed")) => self.passed += number,
                Some((number, "failed")) => self.failed += number,
                Some((number, "ignored")) => self.skipped += number,
                Some(_) | None => {}
            }
        }
    }

    /// Reads a line that `integration/run.sh` printed.
    pub(crate) fn read_suite(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("PASSED", _)) => self.passed += 1,
            Some(("FAILED", _)) => {
                self.failed += 1;
                self.reasons.push(line.to_owned());
            }
            Some(("SKIPPED", _)) => {
                self.skipped += 1;
                self.reasons.push(line.to_owned());
            }
            Some(_) | None => {}
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn read(lines: &[&str], read: fn(&mut Tally, &str)) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            read(&mut tally, line);
        }
        tally
    }

    #[test]
    fn cargo_test_lines_add_up_over_binaries() {
        let tally = read(
            &[
                "running 3 tests",
                "test a::b ... ok",
                "test a::c ... FAILED",
                "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
                "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s",
            ],
            Tally::read_cargo_test,
        );
        assert_eq!(tally.to_string(), "6 passed, 1 failed, 1 skipped");
        assert_eq!(tally.reasons, ["FAILED a::c"]);
    }

    #[test]
    fn suite_lines_count_steps_and_keep_reasons() {
        let tally = read(
            &[
                "PASSED pull/01-up 2 s",
                "  PASSED no step",
                "FAILED pull/02-tag 8 s",
                "SKIPPED pull/03-cri: 02-tag failed",
            ],
            Tally::read_suite,
        );
        assert_eq!(tally.to_string(), "1 passed, 1 failed, 1 skipped");
        assert_eq!(tally.reasons.len(), 2);
    }
}
