//! Everything CI runs.

use std::env;
use std::process::ExitCode;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{Result, anyhow, bail};

use crate::shell::{cargo, lines, succeed};
use crate::tally::Tally;
use crate::tools::{self, Tools};
use crate::{dist, docs, suites, walls};

type Step = fn() -> Result<Tally>;

const STEPS: [(&str, Step); 11] = [
    ("fmt", || checked(&["fmt", "--all", "--check"])),
    ("walls", || walls::check().map(|()| Tally::pass())),
    ("docs", || docs::check().map(|()| Tally::pass())),
    ("clippy", || {
        checked(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
    }),
    ("test", tests),
    ("build", || checked(&["build", "--release", "--locked", "--bins"])),
    ("dist", || dist::build(Some(dist::Part::Verifier)).map(|()| Tally::pass())),
    ("quickstart", || checked(&["run", "--release", "--locked", "--bin", "quickstart"])),
    ("faults", || suites::drive("faults")),
    ("killed", || suites::drive("killed")),
    ("soak", || suites::drive("soak")),
];

/// Runs the steps and suites named in `only`, or all.
pub(crate) fn run(only: &[String]) -> Result<ExitCode> {
    let suites = suites::names()?;
    let known = |name: &String| suites.contains(name) || STEPS.iter().any(|(step, _)| step == name);
    if let Some(unknown) = only.iter().find(|name| !known(name)) {
        let steps: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!(
            "no step or suite `{unknown}`: there are {}, {}",
            steps.join(", "),
            suites.join(", ")
        );
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    let suites: Vec<String> = suites.into_iter().filter(|name| wanted(name)).collect();
    let real_parts = RealParts::start(&suites);
    let mut tally = Tally::default();
    for (name, step) in STEPS.into_iter().filter(|(name, _)| wanted(name)) {
        timed(name, &mut tally, step);
    }
    real_parts.run(&suites, &mut tally);
    Ok(conclude(&tally))
}

/// The real parts, being installed while the other steps run.
enum RealParts {
    Unwanted,
    Impossible(String),
    Coming(JoinHandle<Result<Tools>>),
}

impl RealParts {
    fn start(suites: &[String]) -> Self {
        if suites.is_empty() {
            return Self::Unwanted;
        }
        match tools::cannot() {
            Some(why) => Self::Impossible(why),
            None => Self::Coming(thread::spawn(tools::install)),
        }
    }

    fn run(self, suites: &[String], tally: &mut Tally) {
        match self {
            Self::Unwanted => {}
            Self::Impossible(why) => {
                for name in suites {
                    tally.add(Tally::skip(format!("{name}: {why}")));
                }
            }
            Self::Coming(thread) => {
                let mut installed = Err(anyhow!("the real parts are not there"));
                timed("tools (the rest of it)", tally, || {
                    installed =
                        thread.join().unwrap_or_else(|_| Err(anyhow!("the installer panicked")));
                    installed.as_ref().map(|_| Tally::pass()).map_err(|error| anyhow!("{error:#}"))
                });
                let Ok(tools) = installed else { return };
                for name in suites {
                    timed(name, tally, || suites::run(name, &tools));
                }
            }
        }
    }
}

fn timed(name: &str, tally: &mut Tally, step: impl FnOnce() -> Result<Tally>) {
    eprintln!("=== {name}");
    let began = Instant::now();
    let result = step().unwrap_or_else(|error| Tally::fail(format!("{name}: {error:#}")));
    eprintln!("=== {name}: {result} in {:.1} s", began.elapsed().as_secs_f32());
    tally.add(result);
}

fn checked(arguments: &[&str]) -> Result<Tally> {
    succeed(&mut cargo(arguments)).map(|()| Tally::pass())
}

fn tests() -> Result<Tally> {
    let mut tally = Tally::default();
    let mut cargo = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    let status = lines(&mut cargo, |line| tally.read_cargo_test(line))?;
    if !status.success() && tally.failed == 0 {
        tally.add(Tally::fail(format!("test: {status}")));
    }
    Ok(tally)
}

fn conclude(tally: &Tally) -> ExitCode {
    let ci = env::var("CI").is_ok_and(|ci| ci == "true");
    for reason in &tally.reasons {
        println!("{reason}");
    }
    let bad = tally.failed > 0 || (ci && tally.skipped > 0);
    if bad && tally.failed == 0 {
        println!("FAILED: CI=true, where nothing may be skipped");
    }
    println!("{tally}");
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
