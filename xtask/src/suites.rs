//! The suites on the real parts: directories of numbered steps in `integration/suites/`; and the drivers of the real
//! daemon, programs in `integration/src/bin/`.

use std::fs;
use std::process::Command;

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
    let mut bash = command("bash");
    bash.arg("integration/run.sh").arg(name).env("PATH", tools.path()?);
    counted(name, &mut bash)
}

/// Runs one driver, which prints such lines too; `cargo build --release --bins` built it and the daemon beside it.
pub(crate) fn drive(name: &str) -> Result<Tally> {
    counted(name, &mut command(root().join("target/release").join(name)))
}

fn counted(name: &str, command: &mut Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let status = lines(command, |line| tally.read_suite(line))?;
    if !status.success() && tally.failed == 0 {
        tally.add(Tally::fail(format!("{name}: {status}")));
    }
    Ok(tally)
}
