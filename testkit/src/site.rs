//! A web server with an organisation's files, that can misbehave in every way a mirror can, for all files or for one,
//! and remembers what it was asked. It listens on loopback and closes every connection after one answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::repository::Files;

/// What [`Manner::Long`] and [`Manner::Endless`] would send to whoever reads it all. None of it is stored.
pub const LONG_BYTES: u64 = 10_000_000_000;
static CHUNK: [u8; 0x10000] = [b' '; 0x10000];
const DRIP_EVERY: Duration = Duration::from_secs(1);
const PAGE: &[u8] = b"<html>please log in</html>";

/// How it answers. What it has no such file for is 404 in every manner that needs the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As a web server should.
    Well,
    /// Closes every connection without a word.
    Gone,
    /// Takes requests and never answers.
    Hang,
    /// Answers 200 and a page in HTML to everything.
    Html,
    /// Answers 404 to everything.
    Absent,
    /// Answers 503 to everything.
    Unavailable,
    /// Sends the head, and of the file one byte a second.
    Drip,
    /// Announces the whole file, sends half of it and hangs up.
    Truncated,
    /// Announces a body of [`LONG_BYTES`] and sends it.
    Long,
    /// Sends as much without announcing any length.
    Endless,
    /// Answers 302 to the same file below this address, which ends in a slash.
    Redirect(String),
}

/// A running server, until the runtime ends. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Site {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    files: Files,
    manner: Manner,
    /// Of single files, which comes first.
    manners: BTreeMap<String, Manner>,
    asked: BTreeMap<String, usize>,
}

impl Site {
    /// Serves these files on the current tokio runtime.
    pub async fn start(files: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("a bound port");
        let (manner, manners, asked) = (Manner::Well, BTreeMap::new(), BTreeMap::new());
        let state = State { files, manner, manners, asked };
        let site = Self { address, state: Arc::new(Mutex::new(state)) };
        let serving = site.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        site
    }

    /// Its address; file names follow it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves these files instead.
    pub fn serve(&self, files: Files) {
        self.lock().files = files;
    }

    /// Changes what is served.
    pub fn damage(&self, how: impl FnOnce(&mut Files)) {
        how(&mut self.lock().files);
    }

    /// Answers in this manner from now on, about every file.
    pub fn behave(&self, manner: Manner) {
        let mut state = self.lock();
        state.manners.clear();
        state.manner = manner;
    }

    /// Answers in this manner about one file only.
    pub fn behave_for(&self, file: &str, manner: Manner) {
        self.lock().manners.insert(file.to_owned(), manner);
    }

    /// How often a file was asked for so far.
    pub fn asked_for(&self, file: &str) -> usize {
        self.lock().asked.get(file).copied().unwrap_or_default()
    }

    /// How often anything was asked for so far.
    pub fn asked(&self) -> usize {
        self.lock().asked.values().sum()
    }

    async fn answer(self, mut stream: TcpStream) {
        let Some(file) = read_request(&mut stream).await else { return };
        let (manner, body) = self.asked_about(&file);
        // The client may be gone; that is its right.
        let _ = respond(&mut stream, &file, manner, body).await;
        let _ = stream.shutdown().await;
    }

    fn asked_about(&self, file: &str) -> (Manner, Option<Vec<u8>>) {
        let mut state = self.lock();
        *state.asked.entry(file.to_owned()).or_default() += 1;
        let manner = state.manners.get(file).unwrap_or(&state.manner).clone();
        (manner, state.files.get(file).map(<[u8]>::to_vec))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file that a GET names.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let line = String::from_utf8(head).ok()?;
    let path = line.strip_prefix("GET /")?.split(' ').next()?;
    Some(path.to_owned())
}

async fn respond(
    stream: &mut TcpStream,
    file: &str,
    manner: Manner,
    body: Option<Vec<u8>>,
) -> std::io::Result<()> {
    match (manner, body) {
        (Manner::Gone, _) => Ok(()),
        (Manner::Hang, _) => stream.read(&mut [0]).await.map(drop), // until the client hangs up
        (Manner::Html, _) => whole(stream, "200 OK", PAGE).await,
        (Manner::Unavailable, _) => whole(stream, "503 Service Unavailable", PAGE).await,
        (Manner::Redirect(to), _) => {
            whole(stream, &format!("302 Found\r\nlocation: {to}{file}"), b"").await
        }
        (Manner::Long, _) => {
            head(stream, "200 OK", &format!("content-length: {LONG_BYTES}")).await?;
            flood(stream, b"", b"").await
        }
        (Manner::Endless, _) => {
            head(stream, "200 OK", "transfer-encoding: chunked").await?;
            flood(stream, b"10000\r\n", b"\r\n").await
        }
        (Manner::Absent, _) | (_, None) => whole(stream, "404 Not Found", PAGE).await,
        (Manner::Well, Some(body)) => whole(stream, "200 OK", &body).await,
        (Manner::Truncated, Some(body)) => {
            announce(stream, "200 OK", body.len()).await?;
            stream.write_all(body.get(..body.len() / 2).unwrap_or_default()).await
        }
        (Manner::Drip, Some(body)) => {
            announce(stream, "200 OK", body.len()).await?;
            for byte in body {
                stream.write_all(&[byte]).await?;
                sleep(DRIP_EVERY).await;
            }
            Ok(())
        }
    }
}

async fn whole(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    announce(stream, status, body.len()).await?;
    stream.write_all(body).await
}

async fn announce(stream: &mut TcpStream, status: &str, bytes: usize) -> std::io::Result<()> {
    head(stream, status, &format!("content-length: {bytes}")).await
}

async fn head(stream: &mut TcpStream, status: &str, length: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\n{length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await
}

/// Chunk after chunk, each between these bytes, until the client hangs up or has all.
async fn flood(stream: &mut TcpStream, before: &[u8], after: &[u8]) -> std::io::Result<()> {
    let chunk = [before, CHUNK.as_slice(), after].concat();
    for _ in 0..LONG_BYTES.div_ceil(CHUNK.len() as u64) {
        stream.write_all(&chunk).await?;
    }
    Ok(())
}
