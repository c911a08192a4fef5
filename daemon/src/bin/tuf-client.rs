//! A plain TUF client over the daemon's rules, for conformance and for people.
fn main() -> std::process::ExitCode {
    tufd::client::main()
}
