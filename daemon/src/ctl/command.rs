use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

const SOCKET: &str = "/run/tufd/tufd.sock";
const ADMIN_SOCKET: &str = "/run/tufd-admin/admin.sock";
const STATE_DIR: &str = "/var/lib/tufd";

const EXAMPLES: &str = "\
Examples:
  tufctl verify registry.example/app:v1@sha256:0123…
  tufctl verify nginx@sha256:0123… -o json
  tufctl status
  tufctl trust acme
  tufctl refresh acme
  tufctl healthcheck && echo ready
  tufctl state export /root/tufd-state.json

Exit codes:
  0  ALLOW, or in order
  1  DENY, unhealthy, or a refresh, export or import that failed
  2  usage
  3  no verdict, or the daemon cannot be reached";

/// Asks tufd, on this node, what may run and why.
#[derive(Debug, Parser)]
#[command(name = "tufctl", version, after_help = EXAMPLES, subcommand_required = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) sockets: Sockets,
    /// How to print the answer.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub(super) output: Output,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Sockets {
    /// Path or `unix:` URI of tufd's socket [env: TUFD_SOCKET] [default: /run/tufd/tufd.sock].
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<OsString>,
    /// Path or `unix:` URI of its admin socket [env: TUFD_ADMIN_SOCKET] [default: /run/tufd-admin/admin.sock].
    #[arg(long, global = true, value_name = "PATH")]
    admin_socket: Option<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Whether an image may be used, and why: exit 0 ALLOW, 1 DENY, 3 no verdict.
    #[command(after_help = "Example:\n  tufctl verify registry.example/app:v1@sha256:0123…")]
    Verify {
        /// The image with the digest that is about to be pulled.
        #[arg(value_name = "REF[@DIGEST]")]
        image: Image,
    },
    /// What this node trusts, in one table.
    Status,
    /// Asks every source now, and waits for the end (admin socket).
    #[command(after_help = "Examples:\n  tufctl refresh\n  tufctl refresh acme -o json")]
    Refresh {
        /// Name of one `[[trust]]`; all without it.
        trust: Option<String>,
    },
    /// Anchor keys, roles, sources and warnings of what this node trusts.
    #[command(after_help = "Examples:\n  tufctl trust\n  tufctl trust acme -o json")]
    Trust {
        /// Name of one `[[trust]]`; all without it.
        name: Option<String>,
    },
    /// What this node must not forget: moved, kept, mended.
    #[command(subcommand)]
    State(State),
    /// Exit 0 while at least one `[[trust]]` is fresh and covered, else 1; 3 without a daemon.
    Healthcheck,
}

#[derive(Debug, Subcommand)]
pub(super) enum State {
    /// Writes floors, anchors and last chains as one JSON document; tufd may run.
    #[command(
        after_help = "Examples:\n  tufctl state export /root/tufd-state.json\n  tufctl state export - | ssh new-node tufctl state import -"
    )]
    Export {
        /// The state directory.
        #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
        dir: PathBuf,
        /// Where to, replaced whole, for its owner only; `-` for standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Puts an export into a state directory that knows none of its trust domains; tufd must not run.
    #[command(
        after_help = "Examples:\n  tufctl state import /root/tufd-state.json\n  tufctl state import --dir /var/lib/tufd -"
    )]
    Import {
        /// The state directory. What is written into one belongs to its owner.
        #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
        dir: PathBuf,
        /// The export; `-` for standard input.
        file: PathBuf,
    },
    /// Drops the time floor, after the clock ran ahead; audited (admin socket).
    #[command(after_help = "Example:\n  tufctl state reset-time-floor acme")]
    ResetTimeFloor {
        /// Name of one `[[trust]]`.
        trust: String,
    },
}

/// An image with a digest. The daemon parses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// As it was given, digest and all: cut off, the rest of `app@sha256:…` would read as `app:latest`.
    pub(super) reference: String,
    /// What follows the last `@`.
    pub(super) digest: String,
}

impl FromStr for Image {
    type Err = &'static str;

    fn from_str(reference: &str) -> Result<Self, Self::Err> {
        match reference.rsplit_once('@') {
            Some((name, digest)) if !name.is_empty() && digest.contains(':') => {
                Ok(Self { reference: reference.to_owned(), digest: digest.to_owned() })
            }
            Some(_) | None => {
                Err("it has no digest; give REF@sha256:…, the digest that is about to be pulled")
            }
        }
    }
}

impl Sockets {
    /// Where verdicts and trust are served.
    pub(super) fn verdicts(&self) -> PathBuf {
        choose(self.socket.clone(), "TUFD_SOCKET", SOCKET)
    }

    /// Where the operator's commands are served.
    pub(super) fn admin(&self) -> PathBuf {
        choose(self.admin_socket.clone(), "TUFD_ADMIN_SOCKET", ADMIN_SOCKET)
    }
}

fn choose(given: Option<OsString>, variable: &str, default: &str) -> PathBuf {
    let address = given.or_else(|| std::env::var_os(variable)).unwrap_or_else(|| default.into());
    match address.to_str() {
        Some(uri) => Path::new(
            uri.strip_prefix("unix://").or_else(|| uri.strip_prefix("unix:")).unwrap_or(uri),
        )
        .into(),
        None => address.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_image_keeps_its_digest_in_the_reference() {
        let image: Image = "r.example/app:v1@sha256:00".parse().unwrap();
        assert_eq!(
            (image.reference.as_str(), image.digest.as_str()),
            ("r.example/app:v1@sha256:00", "sha256:00")
        );
        for bad in ["", "app", "app:v1", "app@", "app@v1", "@sha256:00"] {
            assert!(bad.parse::<Image>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sockets_are_paths_or_uris() {
        for address in ["/run/x", "unix:/run/x", "unix:///run/x"] {
            assert_eq!(
                choose(Some(address.into()), "TUFD_TEST_UNSET", SOCKET),
                Path::new("/run/x")
            );
        }
        assert_eq!(choose(None, "TUFD_TEST_UNSET", SOCKET), Path::new(SOCKET));
    }
}
