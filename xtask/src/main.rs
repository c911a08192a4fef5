//! The project's own commands: `cargo xtask COMMAND`.

mod dist;
mod docs;
mod shell;
mod suites;
mod tally;
mod test;
mod tools;
mod walls;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                  everything CI runs
  cargo xtask test --only fresh     one suite on the real parts
  cargo xtask test --only clippy    one step
  cargo xtask walls                 who may depend on whom
  cargo xtask dist                  what is installed, into target/dist/
  cargo xtask tools                 SPIRE, containerd and the other real parts into the cache
  cargo xtask bench                 the figures of this machine
  cargo xtask bench --calls 1000    fewer calls (`--help` of the program `bench` has all)

Environment:
  CI=true            a skipped suite is a failure
  TUFD_CACHE         where the real parts are kept (default: $XDG_CACHE_HOME/tufd, ~/.cache/tufd)
  TUFD_KEEP=1        keep the run directories of the suites";

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The project's own commands", after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check, build and test everything, the real parts too; ends in `N passed, N failed, N skipped`
    Test {
        /// Run this step or suite only (may be given several times)
        #[arg(long, value_name = "NAME")]
        only: Vec<String>,
    },
    /// Check which crate may depend on what
    Walls,
    /// Build what is installed into target/dist/
    Dist {
        /// Build this part only
        #[arg(long, value_enum)]
        only: Option<dist::Part>,
    },
    /// Install the real parts into the cache and print their directories
    Tools,
    /// Measure verdicts and the verifier, in release mode, on a daemon with the real parts
    Bench {
        /// Handed to the benchmark
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    match task {
        Task::Test { only } => return test::run(&only),
        Task::Walls => walls::check()?,
        Task::Dist { only } => dist::build(only)?,
        Task::Tools => {
            for directory in tools::install()?.directories() {
                println!("{}", directory.display());
            }
        }
        Task::Bench { arguments } => bench(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is measured is what is installed, on the real parts.
fn bench(arguments: &[String]) -> Result<()> {
    let tools = tools::install()?;
    shell::succeed(&mut shell::cargo(&["build", "--release", "--locked", "--bins"]))?;
    dist::build(Some(dist::Part::Verifier))?;
    let mut bash = shell::command("bash");
    shell::succeed(bash.arg("integration/bench.sh").args(arguments).env("PATH", tools.path()?))
}
