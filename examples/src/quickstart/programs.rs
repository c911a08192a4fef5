use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The programs that are shown, in the directory of this one.
#[derive(Debug, Clone)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Builds them where cargo runs us; elsewhere those beside this program are taken as they are.
    pub(crate) fn build() -> Result<Self> {
        let ourselves = std::env::current_exe().context("cannot find this program")?;
        let directory = ourselves.parent().context("this program lies in no directory")?;
        if let (Some(cargo), Some(package)) =
            (std::env::var_os("CARGO"), std::env::var_os("CARGO_MANIFEST_DIR"))
        {
            build(&cargo, Path::new(&package), directory)?;
        }
        let programs = Self(directory.to_owned());
        for program in [programs.daemon(), programs.control(), programs.verifier()] {
            ensure!(
                program.exists(),
                "{} is missing; build it with `cargo build --release --locked --bins`",
                program.display()
            );
        }
        Ok(programs)
    }

    /// Where they are.
    pub(crate) fn directory(&self) -> &Path {
        &self.0
    }

    pub(crate) fn daemon(&self) -> PathBuf {
        self.0.join("tufd")
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.0.join("tufctl")
    }

    pub(crate) fn verifier(&self) -> PathBuf {
        self.0.join("tufd-verifier")
    }
}

/// Builds into the very directory that this program was built into; cargo shows its own progress.
fn build(cargo: &OsString, package: &Path, directory: &Path) -> Result<()> {
    let workspace = package.parent().context("the package lies in no workspace")?;
    let target = directory.parent().context("this program lies in no target directory")?;
    let profile = match directory.file_name() {
        Some(name) if name == "debug" => OsStr::new("dev"),
        Some(name) => name,
        None => OsStr::new("release"),
    };
    let status = Command::new(cargo)
        .current_dir(workspace)
        .args(["build", "--locked", "--bins", "--profile"])
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .status()
        .with_context(|| format!("cannot run {}", cargo.display()))?;
    ensure!(status.success(), "the build failed");
    Ok(())
}
