//! The operator's command on a node.
fn main() -> std::process::ExitCode {
    tufd::ctl::main()
}
