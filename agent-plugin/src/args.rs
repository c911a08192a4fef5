use std::ffi::OsString;

use thiserror::Error;

/// The only descriptor that containerd sends, and the only one that is understood.
pub(crate) const DESCRIPTOR_TYPE: &str = "application/vnd.oci.descriptor.v1+json";

pub(crate) const HELP: &str = "\
tufd-verifier: containerd image verifier that asks tufd and obeys

Usage: tufd-verifier -name REFERENCE -digest DIGEST [-stdin-media-type TYPE] < DESCRIPTOR

containerd runs every program in its bin_dir so, on each pull. Each option may have one dash or two.

  -name REFERENCE         the image as it was asked for
  -digest DIGEST          what the registry resolved it to, `sha256:…`
  -stdin-media-type TYPE  application/vnd.oci.descriptor.v1+json
  --help, --version       alone on the command line

stdin may be empty or a descriptor of at most 64 KiB. stdout gets one line:
  ALLOW REASON: text          exit 0
  DENY REASON: text           exit 1
  DENY NO_VERDICT: text       exit 3

Configuration: /etc/tufd/verifier.toml, or the file that TUFD_VERIFIER_CONFIG names.

Examples:
  tufd-verifier -name registry.example/app:v1 -digest sha256:0123… </dev/null
  TUFD_VERIFIER_CONFIG=/etc/tufd/other.toml tufd-verifier --name nginx --digest sha256:0123… </dev/null
";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Verify(Image),
    Help,
    Version,
}

/// The image that is about to be pulled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Image {
    /// As it was asked for; the daemon parses it.
    pub(crate) name: String,
    /// Never empty, so that an answer without a digest cannot match.
    pub(crate) digest: String,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ArgsError {
    #[error("argument {0:?} is not UTF-8")]
    NotUtf8(OsString),
    #[error("unknown argument {0:?}; see tufd-verifier --help")]
    Unknown(String),
    #[error("option -{0} is given twice")]
    Twice(&'static str),
    #[error("option -{0} has no value; see tufd-verifier --help")]
    NoValue(&'static str),
    #[error("option -{0} is missing; see tufd-verifier --help")]
    Missing(&'static str),
    #[error("-stdin-media-type {0:?} is not {DESCRIPTOR_TYPE}")]
    DescriptorType(String),
}

#[derive(Default)]
struct Options {
    name: Option<String>,
    digest: Option<String>,
    stdin_media_type: Option<String>,
}

impl Command {
    /// Go's flag syntax: `-key value`, `-key=value`, one dash or two.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, ArgsError> {
        let arguments: Vec<String> = arguments
            .map(|each| each.into_string().map_err(ArgsError::NotUtf8))
            .collect::<Result<_, _>>()?;
        // Only alone: help exits 0, which among containerd's arguments would be an ALLOW.
        match arguments.as_slice() {
            [only] if matches!(only.as_str(), "--help" | "-help" | "-h") => return Ok(Self::Help),
            [only] if matches!(only.as_str(), "--version" | "-version" | "-V") => {
                return Ok(Self::Version);
            }
            _ => {}
        }
        Options::parse(arguments.into_iter())?.image().map(Self::Verify)
    }
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, ArgsError> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let (key, value) = match argument.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let (name, slot) = match key.strip_prefix("--").or_else(|| key.strip_prefix('-')) {
                Some("name") => ("name", &mut options.name),
                Some("digest") => ("digest", &mut options.digest),
                Some("stdin-media-type") => ("stdin-media-type", &mut options.stdin_media_type),
                _ => return Err(ArgsError::Unknown(argument)),
            };
            let value = value.or_else(|| arguments.next()).ok_or(ArgsError::NoValue(name))?;
            if slot.replace(value).is_some() {
                return Err(ArgsError::Twice(name));
            }
        }
        Ok(options)
    }

    fn image(self) -> Result<Image, ArgsError> {
        let Self { name, digest, stdin_media_type } = self;
        match stdin_media_type {
            Some(other) if other != DESCRIPTOR_TYPE => {
                return Err(ArgsError::DescriptorType(other));
            }
            _ => {}
        }
        let name = name.filter(|name| !name.is_empty()).ok_or(ArgsError::Missing("name"))?;
        let digest =
            digest.filter(|digest| !digest.is_empty()).ok_or(ArgsError::Missing("digest"))?;
        Ok(Image { name, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, ArgsError> {
        Command::parse(arguments.iter().map(OsString::from))
    }

    fn image() -> Result<Command, ArgsError> {
        Ok(Command::Verify(Image { name: "app:v1".into(), digest: "sha256:00".into() }))
    }

    #[test]
    fn both_dash_forms_and_equals_signs_are_read() {
        let kind = DESCRIPTOR_TYPE;
        assert_eq!(
            parse(&["-name", "app:v1", "-digest", "sha256:00", "-stdin-media-type", kind]),
            image()
        );
        assert_eq!(parse(&["--digest=sha256:00", "--name=app:v1"]), image());
    }

    #[test]
    fn a_name_that_looks_like_an_option_is_a_value() {
        let help = Command::Verify(Image { name: "--help".into(), digest: "d".into() });
        assert_eq!(parse(&["-name", "--help", "-digest", "d"]), Ok(help));
    }

    #[test]
    fn help_among_other_arguments_is_refused() {
        assert_eq!(parse(&["--help"]), Ok(Command::Help));
        assert_eq!(parse(&["--version"]), Ok(Command::Version));
        assert_eq!(parse(&["-name", "a", "--help"]), Err(ArgsError::Unknown("--help".into())));
    }

    #[test]
    fn arguments_that_name_no_image_are_refused() {
        assert_eq!(parse(&[]), Err(ArgsError::Missing("name")));
        assert_eq!(parse(&["-name", "a"]), Err(ArgsError::Missing("digest")));
        assert_eq!(parse(&["-name", "a", "-digest", ""]), Err(ArgsError::Missing("digest")));
        assert_eq!(parse(&["-name"]), Err(ArgsError::NoValue("name")));
        assert_eq!(parse(&["-name", "a", "-name", "b"]), Err(ArgsError::Twice("name")));
        assert_eq!(parse(&["---name", "a"]), Err(ArgsError::Unknown("---name".into())));
        assert_eq!(parse(&["name", "a"]), Err(ArgsError::Unknown("name".into())));
        let other = ["-name", "a", "-digest", "d", "-stdin-media-type", "text/plain"];
        assert_eq!(parse(&other), Err(ArgsError::DescriptorType("text/plain".into())));
    }
}
