use std::path::PathBuf;

use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  cargo run --release --bin quickstart
  cargo run --release --bin quickstart -- --keep
  cargo run --release --bin quickstart -- --spire /opt/spire/bin

Exit codes:
  0  every answer was the expected one
  1  one was not, or a part could not be started
  2  usage";

/// Shows tufd at work: an organisation, a node and an attacker on this machine.
///
/// It builds the programs, then starts an embedded Workload API, an organisation with root keys, signed and unsigned
/// images, the real daemon, and the real verifier as containerd calls it. It prints what was tried, what was expected
/// and what was answered. It needs neither root nor a network, and leaves nothing behind.
#[derive(Debug, Parser)]
#[command(name = "quickstart", version, after_help = EXAMPLES, max_term_width = 80)]
pub(crate) struct Arguments {
    /// Afterwards go on serving and print commands to try, until Ctrl-C
    #[arg(long)]
    pub(crate) keep: bool,
    /// Take the root keys through the real spire-server and spire-agent of this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) spire: Option<PathBuf>,
}
