//! The suites on the real parts: directories of numbered steps in `integration/suites/`.

use std::fs;

use anyhow::Result;

use crate::shell::{command, lines, root};
use crate::tally::Tally;
use crate::tools::Tools;

/// The names of the suites, sorted.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("integration/suites"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Runs one suite; the runner prints a line per step, and the tail of the logs where one fails.
pub(crate) fn run(name: &str, tools: &Tools) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut bash = command("bash");
    bash.arg("integration/run.sh").arg(name).env("PATH", tools.path()?);
    let status = lines(&mut bash, |line| tally.read_suite(line))?;
    if !status.success() && tally.failed == 0 {
        tally.add(Tally::fail(format!("{name}: {status}")));
    }
    Ok(tally)
}
