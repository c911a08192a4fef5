use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;

use crate::args::ArgsError;
use crate::ask::AskError;
use crate::chain::sentence;
use crate::config::{ConfigError, OnNoVerdict};
use crate::descriptor::DescriptorError;
use crate::line::line;
use crate::socket::SocketError;
use crate::user::UserError;

const EXIT_DENY: u8 = 1;
const EXIT_NO_VERDICT: u8 = 3;

/// What is said on stdout and by the exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// tufd said ALLOW about the very digest that was asked.
    Allow { reason: String, text: String },
    /// tufd said DENY.
    Deny { reason: String, text: String },
    /// There is no verdict, so the pull is blocked.
    NoVerdict { text: String },
    /// There is no verdict, and root configured that this lets a pull pass.
    Passed { text: String },
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub(crate) enum NoVerdict {
    #[error("bad command line")]
    Args(#[from] ArgsError),
    #[error("bad configuration")]
    Config(#[from] ConfigError),
    #[error("bad daemon_user")]
    User(#[from] UserError),
    #[error("bad descriptor on stdin")]
    Descriptor(#[from] DescriptorError),
    #[error("cannot reach tufd")]
    Socket(#[from] SocketError),
    #[error("tufd gave no verdict")]
    Ask(#[from] AskError),
    #[error("no answer from tufd within {deadline:?}")]
    Deadline { deadline: Duration },
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl Outcome {
    pub(crate) fn no_verdict(error: &NoVerdict, configured: OnNoVerdict) -> Self {
        let text = sentence(error);
        match configured {
            OnNoVerdict::Block => Self::NoVerdict { text },
            OnNoVerdict::Pass => Self::Passed { text },
        }
    }

    /// Prints the line and gives the exit code, which no failure to print can change.
    pub(crate) fn report(self) -> ExitCode {
        let (code, text) = match self {
            Self::Allow { reason, text } => (ExitCode::SUCCESS, format!("ALLOW {reason}: {text}")),
            Self::Deny { reason, text } => (EXIT_DENY.into(), format!("DENY {reason}: {text}")),
            Self::NoVerdict { text } => {
                (EXIT_NO_VERDICT.into(), format!("DENY NO_VERDICT: {text}"))
            }
            Self::Passed { text } => (
                ExitCode::SUCCESS,
                format!("ALLOW NO_VERDICT: on_no_verdict = \"pass\" let it through: {text}"),
            ),
        };
        print(&line(&text));
        code
    }
}

/// A panic blocks with a line, also where it aborts.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        print(&line(&format!("DENY NO_VERDICT: a fault in tufd-verifier: {panic}")));
        std::process::exit(EXIT_NO_VERDICT.into());
    }));
}

/// Help and version.
pub(crate) fn say(text: &str) -> ExitCode {
    print(text);
    ExitCode::SUCCESS
}

/// One write; a reader that is gone loses the line and nothing else.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _gone = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs itself again as a child that panics.
    #[test]
    fn panic_blocks_with_a_line() {
        const CHILD: &str = "TUFD_VERIFIER_TEST_PANICS";
        if std::env::var_os(CHILD).is_some() {
            report_panics();
            panic!("first\nsecond");
        }
        let name = "outcome::tests::panic_blocks_with_a_line";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let stdout = String::from_utf8(child.stdout).unwrap();
        assert_eq!(child.status.code(), Some(3), "{stdout}");
        let said = stdout.lines().find(|line| line.contains("DENY NO_VERDICT: a fault")).unwrap();
        assert!(said.ends_with("first second"), "{said}");
    }
}
