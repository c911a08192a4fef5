//! Whom the program believes: the configuration's owner, the socket's way and the peer behind it.
//!
//! What needs another user's files or processes runs where the tests are root's, as in CI.
use std::os::unix::fs::{chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::fake::{Answer, Node};

const STRANGER: u32 = 54_321;

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn config_that_others_may_write_blocks() {
    let node = Node::answering(Answer::Echo);
    for mode in [0o620, 0o602, 0o666] {
        node.mode(&node.config(), mode);
        node.pull().is_no_verdict_about("can be written by others");
    }
    node.mode(&node.config(), 0o644);
    assert_eq!(node.pull().exit, Some(0));
}

#[test]
fn config_in_a_directory_that_others_may_write_blocks() {
    let node = Node::answering(Answer::Echo);
    for mode in [0o770, 0o707] {
        node.mode(node.directory(), mode);
        node.pull().is_no_verdict_about("bad configuration: the file is not trusted");
    }
    node.mode(node.directory(), 0o1777);
    assert_eq!(node.pull().exit, Some(0), "a sticky directory is accepted");
}

#[test]
fn config_of_another_user_blocks() {
    if root() {
        let node = Node::answering(Answer::Echo);
        chown(node.config(), Some(STRANGER), None).unwrap();
        node.pull().is_no_verdict_about("belongs to uid 54321, not to root");
        chown(node.config(), Some(0), None).unwrap();
        chown(node.directory(), Some(STRANGER), None).unwrap();
        node.pull().is_no_verdict_about("belongs to uid 54321, not to root");
    }
}

#[test]
fn config_behind_a_symbolic_link_blocks() {
    let node = Node::answering(Answer::Echo);
    let real = node.directory().join("real.toml");
    std::fs::rename(node.config(), &real).unwrap();
    symlink(&real, node.config()).unwrap();
    node.pull().is_no_verdict_about("symbolic links are not followed");
}

#[test]
fn config_that_is_a_fifo_or_a_directory_blocks() {
    let node = Node::answering(Answer::Echo);
    std::fs::remove_file(node.config()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, node.config(), rustix::fs::Mode::RUSR).unwrap();
    node.pull().is_no_verdict_about("is not a regular file");
    std::fs::remove_file(node.config()).unwrap();
    std::fs::create_dir(node.config()).unwrap();
    node.pull().is_no_verdict_about("is not a regular file");
}

#[test]
fn config_that_is_named_must_exist() {
    let node = Node::answering(Answer::Echo);
    std::fs::remove_file(node.config()).unwrap();
    node.pull().is_no_verdict_about("bad configuration");
}

#[test]
fn config_with_an_unknown_key_names_it() {
    let node = Node::answering(Answer::Echo);
    for (text, says) in [
        ("sokcet = '/s'", "key `sokcet`"),
        ("on_no_verdict = 'allow'", "key `on_no_verdict`"),
        ("deadline = '0s'", "key `deadline`"),
        ("socket =", "verifier.toml: TOML parse error"),
        ("socket = 'run/tufd.sock'\ndaemon_user = 0", "is not an absolute path"),
        ("daemon_user = 65534", "cannot map"),
    ] {
        node.configure(text);
        node.pull().is_no_verdict_about(says);
    }
    node.configure(&" ".repeat(65_537));
    node.pull().is_no_verdict_about("is longer than");
}

#[test]
fn socket_in_a_world_writable_directory_blocks() {
    let node = Node::answering(Answer::Echo);
    let open = node.directory().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::rename(node.socket(), open.join("tufd.sock")).unwrap();
    node.configure(&format!(
        "socket = 'unix://{}/tufd.sock'\ndaemon_user = {}",
        open.display(),
        own()
    ));
    for (mode, exit) in [(0o755, 0), (0o1777, 0), (0o777, 3), (0o775, 3)] {
        node.mode(&open, mode);
        let said = node.pull();
        assert_eq!(said.exit, Some(exit), "{mode:o}: {said:?}");
    }
    node.pull().is_no_verdict_about("the socket's path is not trusted");
}

#[test]
fn socket_behind_a_symbolic_link_blocks() {
    let node = Node::answering(Answer::Echo);
    std::fs::rename(node.socket(), node.directory().join("real.sock")).unwrap();
    symlink(node.directory().join("real.sock"), node.socket()).unwrap();
    node.pull().is_no_verdict_about("is not a socket");
}

#[test]
fn socket_of_another_user_blocks() {
    if root() {
        let node = Node::answering(Answer::Echo);
        chown(node.socket(), Some(STRANGER), None).unwrap();
        node.pull().is_no_verdict_about("belongs to uid 54321");
        chown(node.socket(), Some(0), None).unwrap();
        chown(node.directory(), Some(STRANGER), None).unwrap();
        node.pull().is_no_verdict_about("belongs to uid 54321");
    }
}

#[test]
fn daemon_as_another_user_is_believed_only_when_named() {
    if root() {
        let node = Node::empty("");
        let stranger = Impostor::serving(&node);
        chown(node.socket(), Some(STRANGER), None).unwrap();
        node.configure(&format!(
            "socket = '{}'\ndaemon_user = {STRANGER}",
            node.socket().display()
        ));
        assert_eq!(node.pull().exit, Some(0));
        node.configure(&format!(
            "socket = '{}'\ndaemon_user = {}",
            node.socket().display(),
            STRANGER + 1
        ));
        node.pull().is_no_verdict_about("belongs to uid 54321");
        drop(stranger);
    }
}

/// Everything about the path is in order; only the peer is not.
#[test]
fn impostor_behind_a_trusted_path_blocks() {
    if root() {
        let node = Node::empty("");
        let _impostor = Impostor::serving(&node);
        chown(node.socket(), Some(0), None).unwrap();
        node.pull().is_no_verdict_about("is served by uid 54321, not by root");
    }
}

#[test]
fn daemon_user_that_is_unknown_leaves_only_root() {
    if root() {
        let node = Node::answering(Answer::Echo);
        node.configure(&format!(
            "socket = '{}'\ndaemon_user = 'no-such-user'",
            node.socket().display()
        ));
        assert_eq!(node.pull().exit, Some(0));

        let node = Node::empty("");
        let _stranger = Impostor::serving(&node);
        node.configure(&format!(
            "socket = '{}'\ndaemon_user = 'no-such-user'",
            node.socket().display()
        ));
        node.pull().is_no_verdict_about("not to root (daemon_user is not in /etc/passwd)");
    }
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

const IMPOSTORS_SOCKET: &str = "TUFD_VERIFIER_TEST_IMPOSTORS_SOCKET";

/// This test program again, as another user, with an ALLOW for everything.
struct Impostor(Child);

impl Impostor {
    fn serving(node: &Node) -> Self {
        // The other user must be able to reach the program and to make the socket.
        let program = node.directory().join("impostor");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        node.mode(&program, 0o755);
        node.mode(node.directory(), 0o1777);
        let mut child = Command::new(program)
            .args(["--exact", "trusted_paths::impostor_process", "--nocapture"])
            .env(IMPOSTORS_SOCKET, node.socket())
            .uid(STRANGER)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for(child.stdout.as_mut().unwrap(), "impostor listens");
        Self(child)
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn wait_for(output: impl std::io::Read, text: &str) {
    use std::io::BufRead;
    let mut lines = std::io::BufReader::new(output).lines();
    assert!(lines.any(|line| line.unwrap().contains(text)), "the impostor ended");
}

/// The impostor's process; nothing where it was not started as one.
#[test]
fn impostor_process() {
    let Some(socket) = std::env::var_os(IMPOSTORS_SOCKET) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(Path::new(&socket)).unwrap();
        println!("impostor listens");
        crate::fake::serve(listener, Answer::Echo).await;
    });
}
