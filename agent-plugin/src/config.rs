use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::place::{Owners, Place, PlaceError};
use crate::user::User;

const PATH: &str = "/etc/tufd/verifier.toml";
const VARIABLE: &str = "TUFD_VERIFIER_CONFIG";
const CONFIG_MAX_BYTES: u64 = 64 * 1024;

/// `/etc/tufd/verifier.toml`; deploy/verifier.toml is its reference.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) socket: SocketPath,
    pub(crate) deadline: Deadline,
    pub(crate) daemon_user: User,
    pub(crate) on_no_verdict: OnNoVerdict,
    pub(crate) passed: PathBuf,
}

/// What becomes of a pull without a verdict. It never touches a DENY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnNoVerdict {
    Block,
    Pass,
}

/// Where tufd listens: a path, or a `unix:` URI of one.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(crate) struct SocketPath(PathBuf);

/// The longest that one call may take, more than nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Deadline(Duration);

#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("the file is not trusted")]
    Place(#[from] PlaceError),
    #[error("cannot read {}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is longer than {CONFIG_MAX_BYTES} bytes", .path.display())]
    TooLong { path: PathBuf },
    #[error("{}: key `{key}`: {message}", .path.display())]
    Key { path: PathBuf, key: String, message: String },
    #[error("{}: {message}", .path.display())]
    Syntax { path: PathBuf, message: String },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            socket: SocketPath(PathBuf::from("/run/tufd/tufd.sock")),
            deadline: Deadline(Duration::from_secs(8)),
            daemon_user: User::Name("tufd".to_owned()),
            on_no_verdict: OnNoVerdict::Block,
            passed: PathBuf::from("/run/tufd-verifier/passed"),
        }
    }
}

impl Config {
    pub(crate) fn load() -> Result<Self, ConfigError> {
        match std::env::var_os(VARIABLE) {
            Some(named) => Self::load_file(Path::new(&named)),
            None => Self::load_default(Path::new(PATH)),
        }
    }

    /// Without a file at the usual place the defaults hold; they are the strict ones.
    fn load_default(path: &Path) -> Result<Self, ConfigError> {
        match Self::load_file(path) {
            Err(ConfigError::Place(error)) if error.is_missing() => Ok(Self::default()),
            loaded => loaded,
        }
    }

    fn load_file(path: &Path) -> Result<Self, ConfigError> {
        let file = Place::find(path, Owners::of_config())?.open_file(path)?;
        let mut text = String::new();
        file.take(CONFIG_MAX_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        if text.len() as u64 > CONFIG_MAX_BYTES {
            return Err(ConfigError::TooLong { path: path.to_owned() });
        }
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let document = toml::Deserializer::parse(text).map_err(syntax)?;
        serde_path_to_error::deserialize(document).map_err(|error| ConfigError::Key {
            path: path.to_owned(),
            key: error.path().to_string(),
            message: error.inner().message().to_owned(),
        })
    }
}

impl SocketPath {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl From<String> for SocketPath {
    /// `unix:/run/x` and `unix:///run/x` are `/run/x` (gRPC's naming of Unix sockets).
    fn from(address: String) -> Self {
        let path = address
            .strip_prefix("unix://")
            .or_else(|| address.strip_prefix("unix:"))
            .unwrap_or(&address);
        Self(PathBuf::from(path))
    }
}

impl Deadline {
    pub(crate) fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<String> for Deadline {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text
            .parse::<jiff::SignedDuration>()
            .ok()
            .and_then(|parsed| Duration::try_from(parsed).ok());
        match parsed {
            Some(duration) if !duration.is_zero() => Ok(Self(duration)),
            Some(_) | None => Err(format!("`{text}` is not a duration above zero, such as \"8s\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/c")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_reference_configuration_is_the_defaults() {
        let reference = include_str!("../../deploy/verifier.toml");
        assert_eq!(parse(reference), Ok(Config::default()));
        assert_eq!(parse(""), Ok(Config::default()));
        for key in ["socket", "deadline", "daemon_user", "on_no_verdict", "passed"] {
            assert!(reference.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
        }
    }

    #[test]
    fn a_missing_usual_file_means_the_defaults_and_a_bad_one_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tufd/verifier.toml");
        assert_eq!(Config::load_default(&path).unwrap(), Config::default());
        assert!(Config::load_file(&path).is_err());
        std::fs::create_dir(directory.path().join("tufd")).unwrap();
        assert_eq!(Config::load_default(&path).unwrap(), Config::default());
        std::fs::write(&path, "sokcet = 1").unwrap();
        assert!(Config::load_default(&path).is_err());
    }

    #[test]
    fn values_are_read() {
        let config = parse(
            "socket = 'unix:///s'\ndeadline = '300ms'\ndaemon_user = 7\non_no_verdict = 'pass'",
        )
        .unwrap();
        assert_eq!(config.socket.path(), Path::new("/s"));
        assert_eq!(config.deadline.get(), Duration::from_millis(300));
        assert_eq!(config.daemon_user, User::Uid(7));
        assert_eq!(config.on_no_verdict, OnNoVerdict::Pass);
    }

    #[test]
    fn a_bad_value_names_its_key() {
        for (text, key) in [
            ("sockt = '/s'", "sockt"),
            ("socket = 3", "socket"),
            ("deadline = '0s'", "deadline"),
            ("deadline = '-1s'", "deadline"),
            ("deadline = '5'", "deadline"),
            ("deadline = 8", "deadline"),
            ("daemon_user = -1", "daemon_user"),
            ("daemon_user = 4294967296", "daemon_user"),
            ("daemon_user = []", "daemon_user"),
            ("on_no_verdict = 'allow'", "on_no_verdict"),
            ("on_no_verdict = true", "on_no_verdict"),
            ("passed = 1", "passed"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(key), "{text}: {error}");
        }
        assert!(parse("socket = ").unwrap_err().starts_with("/c: "));
    }
}
