//! What is wrong with a configuration, and where.

use std::io;
use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", file.display())]
    Read {
        /// The configuration file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that says which users there are cannot be read.
    #[error("cannot read {}, which names in the configuration are looked up in", file.display())]
    System {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("{}: line {line}: {problem}", file.display())]
    Syntax {
        /// The configuration file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A key is wrong.
    #[error("{}: {key}: {problem}", file.display())]
    Key {
        /// The configuration file.
        file: PathBuf,
        /// The key, such as `trust[0].threshold`.
        key: String,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
}

/// A wrong key, before it is known in which file.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) key: String,
    pub(super) problem: String,
}

impl Wrong {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    pub(super) fn missing(key: impl Into<String>) -> Self {
        Self::new(key, "is required and has no default")
    }

    pub(super) fn in_file(self, file: PathBuf) -> ConfigError {
        ConfigError::Key { file, key: self.key, problem: self.problem }
    }
}
