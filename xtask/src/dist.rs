//! Builds what is installed into `target/dist/`.

use std::{env, fs};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::shell::{cargo, command, output, root, succeed};

/// A part that can be built alone.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Part {
    /// tufd, tufctl and tuf-client, thin LTO
    Daemon,
    /// tufd-verifier, static
    Verifier,
}

/// Builds `only`, or every part.
pub(crate) fn build(only: Option<Part>) -> Result<()> {
    match only {
        Some(Part::Daemon) => daemon(),
        Some(Part::Verifier) => verifier(),
        None => daemon().and_then(|()| verifier()),
    }
}

fn daemon() -> Result<()> {
    succeed(&mut cargo(&[
        "build",
        "--locked",
        "--profile",
        "dist",
        "--package",
        "tufd",
        "--bins",
    ]))?;
    place("dist", "tufd")?;
    place("dist", "tufctl")?;
    place("dist", "tuf-client")
}

/// The static build; where the target cannot be had, a note and the dynamic one.
fn verifier() -> Result<()> {
    let build = ["build", "--locked", "--profile", "dist-plugin", "--package", "tufd-verifier"];
    let musl = format!("{}-unknown-linux-musl", env::consts::ARCH);
    if let Err(error) = add_target(&musl) {
        eprintln!("dist: note: tufd-verifier is linked dynamically: {error:#}");
        succeed(&mut cargo(&build))?;
        return place("dist-plugin", "tufd-verifier");
    }
    succeed(cargo(&build).args(["--target", &musl]))?;
    place(&format!("{musl}/dist-plugin"), "tufd-verifier")
}

fn add_target(musl: &str) -> Result<()> {
    let installed = output(command("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|target| target == musl) {
        return Ok(());
    }
    succeed(command("rustup").args(["target", "add", musl]))
}

/// Puts a program into place by a rename, so that one that runs can be replaced.
fn place(from: &str, name: &str) -> Result<()> {
    let target = root().join("target");
    let dist = target.join("dist");
    fs::create_dir_all(&dist)?;
    let built = target.join(from).join(name);
    let (new, installed) = (dist.join(format!(".{name}.new")), dist.join(name));
    fs::copy(&built, &new).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&new, &installed)?;
    eprintln!("dist: target/dist/{name}, {} KiB", fs::metadata(&installed)?.len() / 1024);
    Ok(())
}
