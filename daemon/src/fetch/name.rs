//! Names of metadata files. A role is named by whoever may delegate, so its name is data, never a path.

use std::fmt::{self, Write};

/// One segment of a URL or of a path: unreserved characters and percent-encodings, ending in `.json`.
///
/// `/`, `\`, NUL and everything else that means something to a server or a file system is encoded, and with its suffix
/// it is neither `.` nor `..`. The encoding is python-tuf's `quote(role, "")`; directories hold files under the encoded
/// name, as tough writes them.
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
        for byte in role.bytes() {
            encode(byte, &mut name);
        }
        name.push_str(SUFFIX);
        if role.is_empty() || name.len() > MAX_NAME_BYTES {
            let role = role.chars().take(MAX_SHOWN_CHARS).flat_map(char::escape_debug).collect();
            return Err(FileNameError { role, found_bytes: name.len() });
        }
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
fn encode(byte: u8, name: &mut String) {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        name.push(char::from(byte));
    } else {
        // Writing to a String does not fail.
        let _ = write!(name, "%{byte:02X}");
    }
}
