//! A web server with an organisation's files, that can misbehave and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use testkit::Files;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As a web server should.
    Well,
    /// Closes every connection without a word.
    Gone,
    /// Takes requests and never answers.
    Hang,
    /// Answers 200 and a page in HTML to everything.
    Html,
}

/// A running server. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    files: Files,
    manner: Manner,
    asked: Vec<String>,
}

impl Site {
    pub(crate) async fn start(files: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { files, manner: Manner::Well, asked: Vec::new() };
        let site = Self { address, state: Arc::new(Mutex::new(state)) };
        let serving = site.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().answer(stream));
            }
        });
        site
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn serve(&self, files: Files) {
        self.lock().files = files;
    }

    /// Damages what is served.
    pub(crate) fn damage(&self, how: impl FnOnce(&mut Files)) {
        how(&mut self.lock().files);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.lock().manner = manner;
    }

    /// How often a file was asked for so far.
    pub(crate) fn asked_for(&self, file: &str) -> usize {
        self.lock().asked.iter().filter(|asked| *asked == file).count()
    }

    async fn answer(self, mut stream: TcpStream) {
        let Some(file) = read_request(&mut stream).await else { return };
        let (manner, body) = {
            let mut state = self.lock();
            state.asked.push(file.clone());
            (state.manner, state.files.get(&file).map(<[u8]>::to_vec))
        };
        let page = b"<html>please log in</html>".to_vec();
        let (status, body) = match (manner, body) {
            (Manner::Gone, _) => return,
            (Manner::Hang, _) => return std::future::pending().await,
            (Manner::Html, _) => ("200 OK", page),
            (Manner::Well, Some(body)) => ("200 OK", body),
            (Manner::Well, None) => ("404 Not Found", page),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // The client may be gone; that is its right.
        let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
        let _ = stream.shutdown().await;
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
