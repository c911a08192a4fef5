//! Targets on the disk: fetched, checked as they come, and there only when they are right (TUF 5.7).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::NamedTempFile;
use tufd_tuf::metadata::{FileNames, Target};

use super::error::ClientError;
use crate::fetch::{ByteLimit, Fetched, FileName, Limits, Source, SourceUrl, encode};

/// Where targets come from and go to.
#[derive(Debug)]
pub(super) struct Artifacts {
    source: Source,
    dir: PathBuf,
}

/// A target may be large; that it comes at all is seen by its rate.
const TOTAL: Duration = Duration::from_secs(24 * 60 * 60);
/// What file systems take.
const NAME_BYTES_MAX: usize = 255;
const PIECE_BYTES: usize = 0x10000;

impl Artifacts {
    pub(super) fn open(url: SourceUrl, dir: PathBuf) -> Result<Self, ClientError> {
        let source = Source::open(url, Limits { total: TOTAL, ..Limits::default() })?;
        Ok(Self { source, dir })
    }

    /// Fetches a target, unless it is there. Returns its path.
    pub(super) async fn obtain(
        &self,
        name: &str,
        target: &Target,
        names: FileNames,
    ) -> Result<PathBuf, ClientError> {
        let path = self.dir.join(file_name(name)?);
        if is_there(&path, target) {
            return Ok(path);
        }
        let hash = match names {
            FileNames::Versioned => target.hashes.listed().next().map(|(_, hash)| hash),
            FileNames::Plain => None,
        };
        let file = FileName::target(name, hash.as_deref())?;
        let unwritable = |source| ClientError::Unwritable { path: path.clone(), source };
        let mut temporary = temporary(&self.dir).map_err(unwritable)?;
        self.fetch(&file, target, temporary.as_file_mut()).await?;
        temporary.as_file().sync_all().map_err(unwritable)?;
        temporary.persist(&path).map_err(|error| unwritable(error.error))?;
        Ok(path)
    }

    async fn fetch(
        &self,
        file: &FileName,
        target: &Target,
        into: &mut File,
    ) -> Result<(), ClientError> {
        let mut check = target.check();
        let mut take = |piece: &[u8]| {
            check.take(piece);
            into.write_all(piece)
        };
        match self.source.copy(file, ByteLimit::new(target.length), &mut take).await? {
            Fetched::Absent => Err(ClientError::Absent { file: file.clone() }),
            Fetched::Found(()) => {
                check.finish().map_err(|source| ClientError::Content { file: file.clone(), source })
            }
        }
    }
}

/// One name in the directory, as python-tuf makes it: the whole path percent-encoded, so that it leads nowhere else.
fn file_name(target: &str) -> Result<String, ClientError> {
    let mut name = String::new();
    encode(target, &mut name);
    if matches!(name.as_str(), "" | "." | "..") || name.len() > NAME_BYTES_MAX {
        return Err(ClientError::ArtifactName { target: target.to_owned() });
    }
    Ok(name)
}

/// A file beside the later one, which goes away with an error; readable like any other file when it stays.
fn temporary(dir: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    let readable = fs::Permissions::from_mode(0o666);
    tempfile::Builder::new().permissions(readable).tempfile_in(dir)
}

/// Whether the very content is there. What cannot be read is not.
fn is_there(path: &Path, target: &Target) -> bool {
    let check = || -> io::Result<bool> {
        if fs::symlink_metadata(path)?.len() != target.length {
            return Ok(false);
        }
        let (mut file, mut check) = (File::open(path)?.take(target.length), target.check());
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(check.finish().is_ok()),
                length => check.take(piece.get(..length).unwrap_or_default()),
            }
        }
    };
    check().unwrap_or_default()
}
