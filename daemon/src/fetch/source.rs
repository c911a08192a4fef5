//! One source of metadata.

use std::io;
use std::sync::Arc;

use super::file::Directory;
use super::url::Place;
use super::{ByteLimit, Failure, FetchError, FileName, Limits, SourceUrl, http};

/// A source that can be asked. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Source {
    inner: Arc<Inner>,
}

/// What a source answered about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched<T = Vec<u8>> {
    /// Its bytes, of which nothing is known but that they are few enough.
    Found(T),
    /// The source says that it has no such file (404, 403, no such name). Only all sources together are believed.
    Absent,
}

/// Where the bytes of a file go, piece by piece.
pub type Take<'t> = &'t mut (dyn FnMut(&[u8]) -> io::Result<()> + Send);

/// Why a source cannot be asked at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot make an HTTP client for {url}: does the machine have CA certificates?")]
pub struct OpenError {
    /// The source.
    pub url: SourceUrl,
    /// Why.
    pub source: reqwest::Error,
}

#[derive(Debug)]
struct Inner {
    url: SourceUrl,
    limits: Limits,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Http(reqwest::Client),
    Directory(Directory),
}

impl Source {
    /// Readies a source; nothing is sent. For `https://` the platform's CA certificates are loaded, once.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn open(url: SourceUrl, limits: Limits) -> Result<Self, OpenError> {
        let transport = match url.place() {
            Place::Directory(path) => Transport::Directory(Directory::new(path.clone())),
            Place::Https | Place::Http => match http::client(url.place(), &limits) {
                Ok(client) => Transport::Http(client),
                Err(source) => return Err(OpenError { url, source }),
            },
        };
        Ok(Self { inner: Arc::new(Inner { url, limits, transport }) })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &SourceUrl {
        &self.inner.url
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// Asks for one file of at most `limit` bytes.
    ///
    /// # Errors
    /// When the source neither gave the file nor said that it has none.
    pub async fn get(&self, file: &FileName, limit: ByteLimit) -> Result<Fetched, FetchError> {
        self.try_get(file, limit).await.map_err(|failure| self.error(file, failure))
    }

    /// Hands one file of at most `limit` bytes over as it comes, for what is too large for memory. (A directory's files
    /// are read whole.) What came before an error came from nobody.
    ///
    /// # Errors
    /// As [`Self::get`], and what `take` says.
    pub async fn copy(
        &self,
        file: &FileName,
        limit: ByteLimit,
        take: Take<'_>,
    ) -> Result<Fetched<()>, FetchError> {
        self.try_copy(file, limit, take).await.map_err(|failure| self.error(file, failure))
    }

    async fn try_copy(
        &self,
        file: &FileName,
        limit: ByteLimit,
        take: Take<'_>,
    ) -> Result<Fetched<()>, Failure> {
        let Inner { url, limits, transport } = &*self.inner;
        match transport {
            Transport::Http(client) => {
                http::copy(client, url.file(file), limit, limits, take).await
            }
            Transport::Directory(dir) => match dir.get(file.clone(), limit, limits).await? {
                Fetched::Found(bytes) => match take(&bytes) {
                    Ok(()) => Ok(Fetched::Found(())),
                    Err(source) => Err(Failure::Unwritable { source }),
                },
                Fetched::Absent => Ok(Fetched::Absent),
            },
        }
    }

    async fn try_get(&self, file: &FileName, limit: ByteLimit) -> Result<Fetched, Failure> {
        let Inner { url, limits, transport } = &*self.inner;
        match transport {
            Transport::Http(client) => http::get(client, url.file(file), limit, limits).await,
            Transport::Directory(dir) => dir.get(file.clone(), limit, limits).await,
        }
    }

    fn error(&self, file: &FileName, failure: Failure) -> FetchError {
        FetchError { from: self.inner.url.clone(), file: file.clone(), failure }
    }
}
