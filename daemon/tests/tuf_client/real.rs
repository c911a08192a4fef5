//! Repositories that others published (`integration/real`) read as was found out by other means.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::Value;
use testkit::Files;
use tufd_tuf::hash::Sha256;

use crate::client::{Client, failed, files_below, succeeded};

/// What a client must end with.
#[derive(Deserialize)]
struct Expect {
    final_root: u64,
    /// SHA-256 by target path.
    targets: BTreeMap<String, String>,
    refused: Vec<String>,
}

struct Repository {
    name: String,
    files: Files,
    root: Vec<u8>,
    time: String,
    expect: Expect,
}

impl Repository {
    fn all() -> Vec<Self> {
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/real");
        let entries = fs::read_dir(real).unwrap().map(|entry| entry.unwrap().path());
        let all: Vec<Self> =
            entries.filter(|path| path.is_dir()).map(|path| Self::read(&path)).collect();
        assert_eq!(all.len(), 9);
        all
    }

    fn read(path: &Path) -> Self {
        let mut files = Files::default();
        for (name, bytes) in files_below(path) {
            files.insert(name, bytes);
        }
        let expect = ["EXPECT.json", "EXPECT-lenient.json"];
        let expect = expect.iter().find_map(|name| files.get(name)).unwrap();
        let expect = serde_json::from_slice(expect).unwrap();
        let time = fs::read_to_string(path.join("faketime")).unwrap();
        let time: DateTime = time.trim().strip_suffix("+00:00").unwrap().parse().unwrap();
        Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            root: files.get("initial_root.json").unwrap().to_vec(),
            files,
            time: format!("{time}Z"),
            expect,
        }
    }

    async fn client(&self) -> Client {
        Client::new(self.files.clone(), &self.root, &self.time).await
    }

    /// The newest file of each role, by the name it is stored under.
    fn newest(&self) -> BTreeMap<String, String> {
        let split = |name: &str| -> Option<(u64, String)> {
            let (version, role) = name.split_once('.')?;
            Some((version.parse().ok()?, role.to_owned()))
        };
        let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for (path, _) in self.files.iter() {
            let Some(name) = path.strip_prefix("metadata/") else { continue };
            let (version, stored_as) = split(name).unwrap_or((0, name.to_owned()));
            let known = newest.entry(stored_as).or_default();
            *known = known.clone().max((version, path.to_owned()));
        }
        newest.into_iter().map(|(stored_as, (_, path))| (stored_as, path)).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_repositories_read_as_expected() {
    for repository in Repository::all() {
        let client = repository.client().await;
        succeeded(&client.refresh());
        let root: Value = serde_json::from_slice(&client.trusted("root.json").unwrap()).unwrap();
        assert_eq!(root["signed"]["version"], repository.expect.final_root, "{}", repository.name);
        for (target, sha256) in &repository.expect.targets {
            let output = client.download(target);
            succeeded(&output);
            let path = String::from_utf8(output.stdout).unwrap();
            let content = fs::read(path.trim_end()).unwrap();
            assert_eq!(Sha256::of(&content).to_string(), *sha256, "{}: {target}", repository.name);
            let asked = client.site.asked();
            succeeded(&client.download(target));
            // The next root, which there is not, and the timestamp.
            assert_eq!(client.site.asked() - asked, 2, "{}: {target}", repository.name);
            let resolved: Value = serde_json::from_slice(&client.resolve(target).stdout).unwrap();
            assert_eq!(resolved["length"], content.len(), "{}: {target}", repository.name);
        }
        for target in repository.expect.refused.iter().map(String::as_str).chain(["nobody/knows"]) {
            failed(&client.download(target), "no role that may speak of target");
            failed(&client.resolve(target), "no role that may speak of target");
        }
        assert_eq!(files_below(&client.targets()).len(), repository.expect.targets.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_repositories_changed_by_a_byte_are_refused() {
    let mut downloads_refused = 0;
    for repository in Repository::all() {
        for (stored_as, file) in repository.newest() {
            if file == "metadata/1.root.json" {
                continue; // the client was given it
            }
            let context = format!("{}: {file}", repository.name);
            let mut bad = repository.files.clone();
            change_expiry(&mut bad, &file);
            let changed = bad.get(&file).unwrap().to_vec();

            let client = repository.client().await;
            client.site.serve(bad);
            let refreshed = client.refresh();
            if TOP_LEVEL.contains(&stored_as.as_str()) {
                failed(&refreshed, "was refused");
            }
            let targets = repository.expect.targets.keys();
            downloads_refused +=
                targets.filter(|target| !client.download(target).status.success()).count();
            let kept = files_below(&client.metadata());
            assert!(kept.values().all(|bytes| *bytes != changed), "{context}");

            client.site.serve(repository.files.clone());
            succeeded(&client.refresh());
        }
    }
    assert_eq!(downloads_refused, DOWNLOADS_REFUSED);
}

/// All 44 targets without timestamp, snapshot or targets; 27 of repositories with newer roots; 15 of delegated roles.
const DOWNLOADS_REFUSED: usize = 3 * 44 + 27 + 15;
const TOP_LEVEL: [&str; 4] = ["root.json", "timestamp.json", "snapshot.json", "targets.json"];

/// Changes one byte of what is signed: the millennium in which a file expires.
fn change_expiry(files: &mut Files, file: &str) {
    let mut bytes = files.get(file).unwrap().to_vec();
    let key = bytes.windows(9).position(|at| at == b"\"expires\"").unwrap();
    let digit = bytes.iter().skip(key).position(u8::is_ascii_digit).unwrap();
    bytes[key + digit] ^= 1;
    files.insert(file, bytes);
}
