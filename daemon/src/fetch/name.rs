//! Names of files at a source. Roles and targets are named by whoever may delegate, so their names are data, never a
//! path that leads anywhere else.

use std::fmt::{self, Write};

/// Where a file is below its source: segments of unreserved characters and percent-encodings, of which none is empty,
/// `.` or `..`. For metadata it is one segment, ending in `.json`.
///
/// `\`, NUL and everything else that means something to a server or a file system is encoded. The encoding is
/// python-tuf's `quote(role, "")`; directories hold files under the encoded name, as tough writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

/// The role's name cannot be the name of a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file name of role \"{role}\" would have {found_bytes} bytes, from 6 to {MAX_NAME_BYTES} are allowed"
)]
pub struct FileNameError {
    /// The role, escaped and cut for people.
    pub role: String,
    /// The length of the encoded file name in bytes.
    pub found_bytes: usize,
}

/// The target's path cannot be the path of a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("target path {path:?} has an empty segment, `.` or `..`")]
pub struct TargetPathError {
    /// The path, cut for people.
    pub path: String,
}

/// What file systems take.
const MAX_NAME_BYTES: usize = 255;
const SUFFIX: &str = ".json";
const MAX_SHOWN_CHARS: usize = 64;

impl FileName {
    /// The file of a role: `VERSION.ROLE.json`, or `ROLE.json` without a version (TUF 1.0.34, 3.1 and 6.2).
    ///
    /// # Errors
    /// When the role has no name or a name too long.
    pub fn metadata(version: Option<u64>, role: &str) -> Result<Self, FileNameError> {
        let mut name = version.map(|version| format!("{version}.")).unwrap_or_default();
        encode(role, &mut name);
        name.push_str(SUFFIX);
        if role.is_empty() || name.len() > MAX_NAME_BYTES {
            let role = role.chars().take(MAX_SHOWN_CHARS).flat_map(char::escape_debug).collect();
            return Err(FileNameError { role, found_bytes: name.len() });
        }
        Ok(Self(name))
    }

    /// The file of a target: its path, the last segment of which gets `HASH.` before it in a repository with
    /// consistent snapshots (TUF 1.0.34, 6.2).
    ///
    /// # Errors
    /// When a segment is empty, `.` or `..`: servers and file systems would read it as another file's path.
    pub fn target(path: &str, hash: Option<&str>) -> Result<Self, TargetPathError> {
        if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return Err(TargetPathError { path: path.chars().take(MAX_SHOWN_CHARS).collect() });
        }
        let (directory, last) = path.rsplit_once('/').unwrap_or(("", path));
        let mut name = String::new();
        for segment in directory.split_terminator('/') {
            encode(segment, &mut name);
            name.push('/');
        }
        if let Some(hash) = hash {
            encode(hash, &mut name);
            name.push('.');
        }
        encode(last, &mut name);
        Ok(Self(name))
    }

    /// The encoded name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Only RFC 3986's unreserved characters stay.
pub(crate) fn encode(text: &str, name: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_keeps_its_directories_and_gets_its_hash_before_the_name() {
        let file = |path, hash| FileName::target(path, hash).unwrap().to_string();
        assert_eq!(file("app", None), "app");
        assert_eq!(file("a/b/c.tar", Some("00ff")), "a/b/00ff.c.tar");
        assert_eq!(file("a b/..c/%2e%2e", None), "a%20b/..c/%252e%252e");
        assert_eq!(file("r.example/app:v1?x#y\\z", None), "r.example/app%3Av1%3Fx%23y%5Cz");
    }

    #[test]
    fn target_hostile_path_never_leads_out_of_its_source() {
        for path in
            ["", "/", "/etc/passwd", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.", "./a"]
        {
            for hash in [None, Some("00ff")] {
                assert!(FileName::target(path, hash).is_err(), "{path:?}");
            }
        }
    }
}
