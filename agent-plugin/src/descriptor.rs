use std::os::fd::AsFd;
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Deserialize;
use thiserror::Error;

use crate::args::Image;

const DESCRIPTOR_MAX_BYTES: usize = 64 * 1024;

/// What is used of the OCI content descriptor that containerd writes to stdin.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    #[serde(default)]
    pub(crate) size: u64,
    digest: Option<String>,
}

#[derive(Debug, Error)]
pub(crate) enum DescriptorError {
    #[error("cannot read it")]
    Read(#[from] Errno),
    #[error("its end did not come within the deadline")]
    Slow,
    #[error("it is longer than {DESCRIPTOR_MAX_BYTES} bytes")]
    TooLong,
    #[error("it is not an OCI descriptor")]
    Junk(#[source] serde_json::Error),
    #[error("it has digest {found}, the command line has {asked}")]
    OtherDigest { found: String, asked: String },
}

/// Reads stdin to its end, or until the deadline; polled, so that no thread is left behind in a read.
pub(crate) fn read_stdin(image: &Image, until: Instant) -> Result<Descriptor, DescriptorError> {
    let stdin = std::io::stdin().lock();
    let mut text = Vec::new();
    while text.len() <= DESCRIPTOR_MAX_BYTES {
        wait(&stdin, until)?;
        text.reserve(4096);
        if rustix::io::read(&stdin, spare_capacity(&mut text))? == 0 {
            return parse(&text, image);
        }
    }
    Err(DescriptorError::TooLong)
}

fn wait(stdin: &impl AsFd, until: Instant) -> Result<(), DescriptorError> {
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
    let mut wanted = [PollFd::new(stdin, PollFlags::IN)];
    match poll(&mut wanted, Some(&left))? {
        0 => Err(DescriptorError::Slow),
        _ => Ok(()),
    }
}

/// An empty stdin is a call by hand.
fn parse(text: &[u8], image: &Image) -> Result<Descriptor, DescriptorError> {
    if text.is_empty() {
        return Ok(Descriptor::default());
    }
    let descriptor: Descriptor = serde_json::from_slice(text).map_err(DescriptorError::Junk)?;
    match &descriptor.digest {
        Some(found) if *found != image.digest => {
            Err(DescriptorError::OtherDigest { found: found.clone(), asked: image.digest.clone() })
        }
        _ => Ok(descriptor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Descriptor, DescriptorError> {
        parse(text.as_bytes(), &Image { name: "a".into(), digest: "sha256:00".into() })
    }

    #[test]
    fn media_type_and_size_are_taken_where_they_are() {
        let full =
            read(r#"{"mediaType":"m","digest":"sha256:00","size":405,"annotations":{}}"#).unwrap();
        assert_eq!((full.media_type.as_str(), full.size), ("m", 405));
        assert_eq!(read("").unwrap(), Descriptor::default());
        assert_eq!(read("{}\n").unwrap(), Descriptor::default());
    }

    #[test]
    fn a_descriptor_of_another_digest_is_refused() {
        assert!(matches!(
            read(r#"{"digest":"sha256:01"}"#),
            Err(DescriptorError::OtherDigest { .. })
        ));
    }

    #[test]
    fn junk_is_refused() {
        for junk in ["\n", "nonsense", "[1]", r#"{"size":-1}"#, r#"{"size":"1"}"#, "{}{}"] {
            assert!(matches!(read(junk), Err(DescriptorError::Junk(_))), "{junk}");
        }
        assert!(matches!(read(&"[".repeat(65_536)), Err(DescriptorError::Junk(_))));
    }
}
