use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::Files;
use testkit::site::Site;
use tufpub::TargetFile;

/// Metadata and targets on one server, and a client that was given a first root.
pub(crate) struct Client {
    pub(crate) site: Site,
    /// `--time` of every command.
    pub(crate) time: String,
    /// What is not there when a test begins, so that nothing else is in it.
    pub(crate) inside: TempDir,
}

impl Client {
    /// Begins with a root that the client takes.
    pub(crate) async fn new(files: Files, root: &[u8], time: &str) -> Self {
        let (site, inside) = (Site::start(files).await, tempfile::tempdir().unwrap());
        let client = Self { site, time: time.to_owned(), inside };
        fs::create_dir(client.targets()).unwrap();
        let output = client.init(root);
        assert!(output.status.success(), "{}", stderr(&output));
        client
    }

    pub(crate) fn init(&self, root: &[u8]) -> Output {
        let file = self.inside.path().join("given.json");
        fs::write(&file, root).unwrap();
        self.run(&["init", file.to_str().unwrap()])
    }

    pub(crate) fn refresh(&self) -> Output {
        self.run(&["--metadata-url", &self.url("metadata"), "refresh"])
    }

    pub(crate) fn resolve(&self, target: &str) -> Output {
        self.run(&["--metadata-url", &self.url("metadata"), "--target-name", target, "resolve"])
    }

    pub(crate) fn download(&self, target: &str) -> Output {
        let (metadata, targets, into) = (self.url("metadata"), self.url("targets"), self.targets());
        self.run(&[
            "--metadata-url",
            &metadata,
            "--target-base-url",
            &targets,
            "--target-dir",
            into.to_str().unwrap(),
            "--target-name",
            target,
            "download",
        ])
    }

    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tuf-client"));
        program.args(["--time", &self.time, "--metadata-dir"]).arg(self.metadata()).args(arguments);
        program
    }

    fn run(&self, arguments: &[&str]) -> Output {
        // The server runs on this runtime, too.
        tokio::task::block_in_place(|| self.program(arguments).output()).unwrap()
    }

    fn url(&self, place: &str) -> String {
        format!("{}{place}/", self.site.url())
    }

    pub(crate) fn metadata(&self) -> PathBuf {
        self.inside.path().join("metadata")
    }

    pub(crate) fn targets(&self) -> PathBuf {
        self.inside.path().join("targets")
    }

    /// What is trusted of a role.
    pub(crate) fn trusted(&self, file: &str) -> Option<Vec<u8>> {
        fs::read(self.metadata().join(file)).ok()
    }
}

/// All files below a directory, by their paths in it.
pub(crate) fn files_below(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let below = files_below(&entry.path()).into_iter();
            files.extend(below.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    files
}

/// What is signed about this content.
pub(crate) fn target(content: &[u8]) -> TargetFile {
    let hash = tufd_tuf::hash::Sha256::of(content).to_string();
    TargetFile {
        length: content.len() as u64,
        hashes: BTreeMap::from([("sha256".to_owned(), hash)]),
        custom: None,
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command failed, with one sentence that has these words in it.
#[track_caller]
pub(crate) fn failed(output: &Output, words: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("tuf-client: ") && said.lines().count() == 1, "{said}");
    assert!(said.contains(words), "{said:?} does not say {words:?}");
    assert!(output.stdout.is_empty());
}

#[track_caller]
pub(crate) fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
    assert!(output.stderr.is_empty(), "{}", stderr(output));
}
