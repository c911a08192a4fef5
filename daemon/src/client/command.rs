use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use jiff::Timestamp;

use crate::fetch::{HttpRule, SourceError, SourceUrl};

const EXAMPLES: &str = "\
Examples:
  tuf-client --metadata-dir trusted init 1.root.json
  tuf-client --metadata-dir trusted --metadata-url https://tuf.example/metadata/ refresh
  tuf-client --metadata-dir trusted --metadata-url https://tuf.example/metadata/ \\
      --target-name app/v1.tar resolve | jq -r .hashes.sha256
  tuf-client --metadata-dir trusted --metadata-url https://tuf.example/metadata/ \\
      --target-base-url https://tuf.example/targets/ --target-dir . \\
      --target-name app/v1.tar download

Exit codes:
  0  done
  1  not done: one sentence on stderr says why, and what was trusted before stays
  2  usage";

/// A plain TUF client: trusts the root it is given, and what follows from that.
#[derive(Debug, Parser)]
#[command(name = "tuf-client", version, after_help = EXAMPLES, subcommand_required = true)]
pub(super) struct Arguments {
    /// Where the trusted metadata is kept.
    #[arg(long, global = true, value_name = "DIR")]
    metadata_dir: Option<PathBuf>,
    /// Where metadata is fetched from: https://, file://, or http:// on a literal loopback address.
    #[arg(long, global = true, value_name = "URL")]
    metadata_url: Option<String>,
    /// Path of a target. `download` takes several, in their order.
    #[arg(long, global = true, value_name = "PATH")]
    target_name: Vec<String>,
    /// Where targets are fetched from.
    #[arg(long, global = true, value_name = "URL")]
    target_base_url: Option<String>,
    /// Where targets are put, under their percent-encoded paths.
    #[arg(long, global = true, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// The time to go by, in RFC 3339, instead of the machine's.
    #[arg(long, global = true, value_name = "TIME")]
    time: Option<Timestamp>,
    /// Allows http:// to other machines. Signatures do not depend on it; who asks for what is then seen by others.
    #[arg(long, global = true)]
    allow_http: bool,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Trusts this root from now on, if it satisfies its own root role.
    Init {
        /// The root, from a place that is trusted.
        #[arg(value_name = "ROOT.json")]
        root: PathBuf,
    },
    /// Brings the trusted metadata up to date.
    Refresh,
    /// Refreshes, then fetches the targets named; prints where each is.
    Download,
    /// Refreshes, then prints what is signed about one target, as a JSON document.
    Resolve,
}

/// What is asked for, with all it needs.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) metadata_dir: PathBuf,
    pub(super) time: Timestamp,
    pub(super) task: Task,
}

#[derive(Debug)]
pub(super) enum Task {
    Init { root: PathBuf },
    Refresh { from: SourceUrl },
    Download { from: SourceUrl, targets: Vec<String>, base: SourceUrl, into: PathBuf },
    Resolve { from: SourceUrl, target: String },
}

impl Request {
    /// Reads the command line; ends the program with 2 where it is wrong.
    pub(super) fn read() -> Self {
        Arguments::parse().complete().unwrap_or_else(|error| error.exit())
    }
}

impl Arguments {
    fn complete(self) -> Result<Request, clap::Error> {
        let rule = if self.allow_http { HttpRule::Anywhere } else { HttpRule::LoopbackOnly };
        let from = |url: Option<String>| source(url, "--metadata-url", rule);
        let task = match self.command {
            Verb::Init { root } => Task::Init { root },
            Verb::Refresh => Task::Refresh { from: from(self.metadata_url)? },
            Verb::Download if self.target_name.is_empty() => {
                return Err(missing("--target-name"));
            }
            Verb::Download => Task::Download {
                from: from(self.metadata_url)?,
                targets: self.target_name,
                base: source(self.target_base_url, "--target-base-url", rule)?,
                into: self.target_dir.ok_or_else(|| missing("--target-dir"))?,
            },
            Verb::Resolve => {
                let [target] = <[String; 1]>::try_from(self.target_name)
                    .map_err(|_| wrong("resolve takes exactly one --target-name".into()))?;
                Task::Resolve { from: from(self.metadata_url)?, target }
            }
        };
        Ok(Request {
            metadata_dir: self.metadata_dir.ok_or_else(|| missing("--metadata-dir"))?,
            time: self.time.unwrap_or_else(Timestamp::now),
            task,
        })
    }
}

fn source(url: Option<String>, option: &str, rule: HttpRule) -> Result<SourceUrl, clap::Error> {
    let url = url.ok_or_else(|| missing(option))?;
    SourceUrl::parse(&url, rule).map_err(|error| match error {
        SourceError::PlainHttp { host } => wrong(format!(
            "{option}: http:// is for literal loopback addresses, {host:?} needs --allow-http"
        )),
        SourceError::NotAUrl { .. }
        | SourceError::NotYet { .. }
        | SourceError::Scheme { .. }
        | SourceError::Superfluous { .. }
        | SourceError::NoDirectory { .. } => wrong(format!("{option}: {error}")),
    })
}

fn missing(option: &str) -> clap::Error {
    Arguments::command()
        .error(ErrorKind::MissingRequiredArgument, format!("{option} is required for this command"))
}

fn wrong(message: String) -> clap::Error {
    Arguments::command().error(ErrorKind::ValueValidation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Request, clap::Error> {
        Arguments::try_parse_from(std::iter::once("tuf-client").chain(arguments.split(' ')))?
            .complete()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn what_a_command_needs_must_be_there() {
        let url = "--metadata-url https://r.example/m/";
        for incomplete in [
            "--metadata-dir d init".to_owned(),
            "init root.json".to_owned(),
            "--metadata-dir d refresh".to_owned(),
            format!("{url} refresh"),
            format!("--metadata-dir d {url} resolve"),
            format!("--metadata-dir d {url} --target-name a --target-name b resolve"),
            format!("--metadata-dir d {url} --target-dir t --target-base-url file:///t download"),
            format!("--metadata-dir d {url} --target-name a --target-dir t download"),
            format!("--metadata-dir d {url} --time yesterday refresh"),
        ] {
            assert!(read(&incomplete).is_err(), "{incomplete}");
        }
        assert!(read(&format!("--metadata-dir d {url} refresh")).is_ok());
        assert!(read(&format!("refresh {url} --metadata-dir d")).is_ok());
    }

    #[test]
    fn plain_http_to_another_machine_needs_a_flag() {
        let plain = "--metadata-dir d --metadata-url http://r.example/m/ refresh";
        let refused = read(plain).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
        assert!(refused.to_string().contains("--allow-http"), "{refused}");
        assert!(read(&format!("--allow-http {plain}")).is_ok());
        assert!(read(&plain.replace("r.example", "127.0.0.1:8000")).is_ok());
        assert!(read(&plain.replace("r.example", "localhost:8000")).is_err());
    }
}
