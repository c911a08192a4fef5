//! The real parts: built from Go modules pinned by their committed sums, from Debian, and from
//! Python packages pinned by hashes. Kept outside the clone, one directory per content of the pins.

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::shell::{command, output, root};

/// Tools and the Go modules that pin them, smallest first: what fails, fails early.
const GO_TOOLS: [(&str, &str); 5] = [
    ("protoc-gen-go", "examples/go"),
    ("crane", "integration/tools/crane"),
    ("crictl", "integration/tools/crictl"),
    ("containerd", "integration/tools/containerd"),
    ("spire", "integration/tools/spire"),
];
/// Python environments and what pins them. Each can be told from the other by `python3-NAME`; `python3` is the first.
const PYTHONS: [(&str, &str); 2] = [
    ("suites", "integration/tools/requirements.txt"),
    ("example", "examples/python/requirements.txt"),
];
const DEBIAN: [&str; 4] = ["busybox-static", "iproute2", "openssl", "runc"];

/// The installed real parts.
pub(crate) struct Tools(Vec<PathBuf>);

impl Tools {
    /// The directories that hold their programs.
    pub(crate) fn directories(&self) -> &[PathBuf] {
        &self.0
    }

    /// `PATH` with the real parts first.
    pub(crate) fn path(&self) -> Result<std::ffi::OsString> {
        let rest = env::var_os("PATH").unwrap_or_default();
        Ok(env::join_paths(self.0.iter().cloned().chain(env::split_paths(&rest)))?)
    }
}

/// Why this machine cannot run the suites on the real parts, where it cannot.
pub(crate) fn cannot() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let go = Command::new("go").arg("version").stdout(Stdio::null()).status();
    (!go.is_ok_and(|status| status.success())).then(|| "no Go in PATH".to_owned())
}

/// Installs what is missing.
pub(crate) fn install() -> Result<Tools> {
    debian()?;
    let mut directories = Vec::new();
    for (name, pins) in PYTHONS {
        let place = python(name, pins);
        directories.push(
            place
                .with_context(|| format!("cannot install the Python packages of {name}"))?
                .join("bin"),
        );
    }
    for (tool, module) in GO_TOOLS {
        directories.push(go(tool, module).with_context(|| format!("cannot build {tool}"))?);
    }
    Ok(Tools(directories))
}

fn debian() -> Result<()> {
    let missing: Vec<&str> = DEBIAN.into_iter().filter(|package| !is_installed(package)).collect();
    let venv = output(command("python3").args(["-c", "import ensurepip, venv"])).is_ok();
    let missing: Vec<&str> = missing.into_iter().chain((!venv).then_some("python3-venv")).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("tools: apt-get install {}", missing.join(" "));
    let apt = |arguments: &[&str]| {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(arguments);
        output(&mut apt).map(drop)
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], missing.as_slice()].concat())
}

fn is_installed(package: &str) -> bool {
    let status = output(command("dpkg-query").args(["-W", "-f", "${Status}", package]));
    status.is_ok_and(|status| status == "install ok installed")
}

fn python(name: &str, pins: &str) -> Result<PathBuf> {
    let pins = root().join(pins);
    let version = output(command("python3").arg("--version"))?;
    cached(&format!("python-{name}"), &[&fs::read(&pins)?, version.as_bytes()], |new| {
        output(nice("python3").args(["-m", "venv"]).arg(new))?;
        let mut pip = nice(new.join("bin/python3"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--only-binary=:all:",
            "--requirement",
        ]);
        output(pip.arg(&pins))?;
        Ok(symlink("python3", new.join("bin").join(format!("python3-{name}")))?)
    })
}

fn go(tool: &str, module: &str) -> Result<PathBuf> {
    let module = root().join(module);
    let version = output(command("go").arg("version"))?;
    let pins = [fs::read(module.join("go.mod"))?, fs::read(module.join("go.sum"))?];
    let [go_mod, go_sum] = &pins;
    cached(tool, &[go_mod, go_sum, version.as_bytes()], |new| {
        let mut go = nice("go");
        go.args([
            "install",
            "-mod=readonly",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags=-s -w",
            "tool",
        ]);
        output(go.current_dir(&module).env("GOBIN", new)).map(drop)
    })
}

/// The cache's directory for these pins, made by `build` in a directory beside it when missing.
fn cached(name: &str, pins: &[&[u8]], build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let parent = cache()?.join("tools");
    let place = parent.join(format!("{name}-{}", sha256(pins)?));
    if place.is_dir() {
        return Ok(place);
    }
    eprintln!("tools: {name} …");
    let began = Instant::now();
    let new = parent.join(format!(".{name}-{}", std::process::id()));
    fs::create_dir_all(&new)?;
    let built = build(&new).and_then(|()| Ok(fs::rename(&new, &place)?));
    if built.is_err() {
        fs::remove_dir_all(&new)?;
    }
    built?;
    eprintln!("tools: {name} in {:.0} s", began.elapsed().as_secs_f32());
    Ok(place)
}

fn cache() -> Result<PathBuf> {
    let given = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    given("TUFD_CACHE")
        .or_else(|| Some(given("XDG_CACHE_HOME")?.join("tufd")))
        .or_else(|| Some(given("HOME")?.join(".cache/tufd")))
        .context("none of TUFD_CACHE, XDG_CACHE_HOME and HOME is set")
}

fn sha256(parts: &[&[u8]]) -> Result<String> {
    let mut child = command("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no pipe to sha256sum")?;
    input.write_all(&parts.concat())?;
    drop(input);
    let printed = child.wait_with_output()?;
    ensure!(printed.status.success(), "sha256sum: {}", printed.status);
    let printed = String::from_utf8(printed.stdout)?;
    let hash = printed.split_whitespace().next().context("sha256sum printed nothing")?;
    Ok(hash.to_owned())
}

/// The suites wait for the real parts, the checks before them do not: they come first.
fn nice(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut nice = command("nice");
    nice.args(["-n", "10"]).arg(program);
    nice
}
