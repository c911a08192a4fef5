//! Values of the configuration, each checked where it is read.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// How long something is put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// For so long.
    For(Duration),
    /// For ever.
    Never,
}

impl Patience {
    /// The duration, or `None` for ever.
    #[must_use]
    pub fn limit(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration),
            Self::Never => None,
        }
    }
}

impl<'de> Deserialize<'de> for Patience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "never" => Ok(Self::Never),
            text => duration(text).map(Self::For).ok_or_else(|| {
                D::Error::custom(format!(
                    "`{text}` is no duration such as \"60s\", \"30m\", \"7d\", and not \"never\""
                ))
            }),
        }
    }
}

/// A duration such as "60s", "30m", "7d"; a day has 24 hours.
#[derive(Clone, Copy, Debug)]
pub(super) struct HumanDuration(pub(super) Duration);

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = || {
            D::Error::custom(format!("`{text}` is no duration such as \"60s\", \"30m\", \"7d\""))
        };
        duration(&text).map(Self).ok_or_else(refused)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let span: Span = text.parse().ok()?;
    Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok()
}

/// The absolute path of a Unix socket, written as a path or as a `unix:` URI.
#[derive(Clone, Debug)]
pub(super) struct SocketPath(pub(super) PathBuf);

/// What the kernel takes, without the closing NUL.
const MAX_SOCKET_PATH_BYTES: usize = 107;

impl SocketPath {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let path = match text.strip_prefix("unix:") {
            // unix:///path: the authority is empty.
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
            None => text,
        };
        absolute(path)?;
        if path.len() > MAX_SOCKET_PATH_BYTES {
            return Err(format!(
                "has {} bytes, at most {MAX_SOCKET_PATH_BYTES} are possible",
                path.len()
            ));
        }
        Ok(Self(PathBuf::from(path)))
    }
}

impl<'de> Deserialize<'de> for SocketPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An absolute path of a file or a directory.
#[derive(Clone, Debug)]
pub(super) struct FilePath(pub(super) PathBuf);

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        absolute(&text).map_err(D::Error::custom)?;
        Ok(Self(PathBuf::from(text)))
    }
}

/// `..` would make two spellings of a directory differ.
pub(super) fn absolute(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    let plain =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && path.file_name().is_some() && plain && !text.contains('\0') {
        return Ok(());
    }
    Err(format!(
        "`{}` must be an absolute path without `..`, or one after `unix:` for a socket",
        text.escape_debug()
    ))
}

/// Permission bits of a socket, written in octal: "0660".
#[derive(Clone, Copy, Debug)]
pub(super) struct Mode(pub(super) u32);

const OWNER_READ_WRITE: u32 = 0o600;
const READ_WRITE: u32 = 0o666;

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octal = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| byte.is_ascii_digit());
        match u32::from_str_radix(&text, 8) {
            Ok(mode)
                if octal
                    && mode & OWNER_READ_WRITE == OWNER_READ_WRITE
                    && mode & !READ_WRITE == 0 =>
            {
                Ok(Self(mode))
            }
            _ => Err(D::Error::custom(format!(
                "`{text}` must be octal, from \"0600\" to \"0666\", as in \"0660\""
            ))),
        }
    }
}

/// A user or a group, by number or by name.
#[derive(Clone, Debug)]
pub(super) enum Account {
    Number(u32),
    Name(String),
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AccountVisitor)
    }
}

struct AccountVisitor;

impl Visitor<'_> for AccountVisitor {
    type Value = Account;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 0 to 4294967294 or a name")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Account, E> {
        match u32::try_from(number) {
            // The highest one means "no user" to the kernel.
            Ok(number) if number < u32::MAX => Ok(Account::Number(number)),
            _ => Err(E::invalid_value(serde::de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Account, E> {
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Account, E> {
        Ok(Account::Name(name.to_owned()))
    }
}

/// A key that a later version will know. Leaving it unapplied in silence would be a hole.
#[derive(Clone, Copy, Debug)]
pub(super) enum NotYet {}

impl<'de> Deserialize<'de> for NotYet {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("is not available yet; leave it out"))
    }
}

/// One of some words; those of later versions are refused as such.
pub(super) fn choose<'de, D: Deserializer<'de>, T: Copy>(
    deserializer: D,
    allowed: &[(&str, T)],
    later: &[&str],
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    if let Some((_, value)) = allowed.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<String> = allowed.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    let words = words.join(", ");
    if later.contains(&text.as_str()) {
        return Err(D::Error::custom(format!("`{text}` is not available yet; allowed: {words}")));
    }
    Err(D::Error::custom(format!("`{}` is not known; allowed: {words}", text.escape_debug())))
}
