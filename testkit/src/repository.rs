//! What a client can fetch: files by name, good until a test damages them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;
use tufpub::Repository;

/// The files that a repository serves, by name. [`crate::damage`] breaks them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// The bytes of a file, `None` for "not found".
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Serves these bytes under the name.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.insert(name.into(), bytes.into());
    }

    /// Ceases to serve a file and returns what it was.
    pub fn remove(&mut self, name: &str) -> Option<Vec<u8>> {
        self.0.remove(name)
    }

    /// All names and bytes, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The name of the newest file of a role: `timestamp.json`, `3.root.json`, `2.a%2Fb.json`.
    ///
    /// # Panics
    /// When there is none.
    pub fn newest(&self, role: &str) -> String {
        if role == "timestamp" {
            return "timestamp.json".to_owned();
        }
        let version = |name: &&String| -> Option<u64> {
            let version = name.split_once('.')?.0.parse().ok()?;
            let named = tufpub::versioned(role, tufpub::Version::try_from(version).ok()?);
            (named == **name).then_some(version)
        };
        let newest = self.0.keys().filter(|name| version(name).is_some()).max_by_key(version);
        newest.unwrap_or_else(|| no_file(role)).clone()
    }

    /// The newest file of a role. See [`Files::newest`].
    pub fn of_role(&self, role: &str) -> &[u8] {
        let name = self.newest(role);
        self.get(&name).unwrap_or_else(|| no_file(&name))
    }

    /// A file as JSON.
    ///
    /// # Panics
    /// When there is no such file or it is no JSON.
    pub fn json(&self, name: &str) -> Value {
        let bytes = self.get(name).unwrap_or_else(|| no_file(name));
        serde_json::from_slice(bytes).expect("a file that is JSON")
    }

    /// Makes a directory serve exactly these files; each appears whole, `timestamp.json` last.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        for entry in directory.read_dir()? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| self.0.contains_key(name)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        let last = |name: &&String| name.as_str() == "timestamp.json";
        let names = self.0.keys().filter(|name| !last(name)).chain(self.0.keys().filter(last));
        for name in names {
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            file.write_all(self.get(name).unwrap_or_default())?;
            file.persist(directory.join(name))?;
        }
        Ok(())
    }

    /// Adds what was published; files of older versions stay, as they do in a directory.
    pub(crate) fn publish(&mut self, repository: &Repository) {
        let files = repository.files().iter();
        self.0.extend(files.map(|(name, bytes)| (name.clone(), bytes.clone())));
    }
}

#[expect(clippy::panic, reason = "a test that names a file which is not there is wrong")]
fn no_file<T>(name: &str) -> T {
    panic!("no file of {name:?}")
}
