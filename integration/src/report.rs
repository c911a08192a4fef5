//! The lines that `cargo xtask test` counts.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// What passed and what failed, printed as it comes.
#[derive(Debug)]
pub struct Report {
    driver: &'static str,
    failed: u32,
}

impl Report {
    /// Of this driver.
    #[must_use]
    pub fn new(driver: &'static str) -> Self {
        Self { driver, failed: 0 }
    }

    /// A case that began then and ended now, with its figures or with what was wrong.
    pub fn case(&mut self, name: &str, began: Instant, result: Result<String>) {
        let (driver, seconds) = (self.driver, began.elapsed().as_secs_f32());
        match result {
            Ok(figures) => println!("PASSED {driver}/{name} {seconds:.1} s: {figures}"),
            Err(error) => {
                self.failed += 1;
                println!("FAILED {driver}/{name} {seconds:.1} s: {}", in_one_line(&error));
                eprintln!("{error:?}");
            }
        }
    }

    /// How the driver is to exit.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn in_one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}
