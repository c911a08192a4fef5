//! What a configuration means on this machine: its users, its environment.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;

use super::ConfigError;

/// The facts of a machine that a configuration refers to.
#[derive(Clone, Debug, Default)]
pub struct System {
    /// The uid that the daemon runs as.
    pub own_uid: u32,
    /// Users by name.
    pub users: Names,
    /// Groups by name.
    pub groups: Names,
    /// `SPIFFE_ENDPOINT_SOCKET`.
    pub endpoint: Option<String>,
    /// What its clock says.
    pub now: Timestamp,
}

/// Numbers by name, as in `/etc/passwd` and `/etc/group`. Users of other sources (LDAP) are given by number.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeMap<String, u32>);

impl System {
    /// Of this machine and process.
    ///
    /// # Errors
    /// When `/etc/passwd` or `/etc/group` exists and cannot be read.
    pub fn current() -> Result<Self, ConfigError> {
        Ok(Self {
            own_uid: rustix::process::geteuid().as_raw(),
            users: Names::read(Path::new("/etc/passwd"))?,
            groups: Names::read(Path::new("/etc/group"))?,
            endpoint: std::env::var("SPIFFE_ENDPOINT_SOCKET").ok(),
            now: Timestamp::now(),
        })
    }
}

impl Names {
    /// From lines `NAME:…:NUMBER:…`; the first line of a name counts, and others are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut names = BTreeMap::new();
        for line in text.lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(Ok(number))) = (fields.next(), fields.nth(1).map(str::parse)) {
                names.entry(name.to_owned()).or_insert(number);
            }
        }
        Self(names)
    }

    pub(super) fn number_of(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    fn read(file: &Path) -> Result<Self, ConfigError> {
        match std::fs::read(file) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            // A container image without users.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::System { file: file.to_owned(), source }),
        }
    }
}
