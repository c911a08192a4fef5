//! A connection with its caller's credentials and its place under the quotas.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::transport::server::Connected;

use super::admission::{Place, Refusal};
use crate::peer::Peer;

/// HTTP/2 client connection preface (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An accepted connection that has sent its HTTP/2 preface; reading gives the preface again.
#[derive(Debug)]
pub struct PeerStream {
    /// What is left to replay. The bytes read were these, or there were no stream.
    preface: &'static [u8],
    io: UnixStream,
    peer: Peer,
    _place: Place,
}

impl PeerStream {
    /// Waits for the client preface, at most `deadline`.
    pub(super) async fn open(
        mut io: UnixStream,
        peer: Peer,
        place: Place,
        deadline: Duration,
    ) -> Result<Self, Refusal> {
        let mut received = [0; PREFACE.len()];
        match timeout(deadline, io.read_exact(&mut received)).await {
            Err(_) => Err(Refusal::Silent(peer)),
            Ok(Ok(_)) if received == *PREFACE => {
                Ok(Self { preface: PREFACE, io, peer, _place: place })
            }
            Ok(_) => Err(Refusal::NotHttp2(peer)),
        }
    }
}

impl Connected for PeerStream {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.preface.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let (now, later) = self.preface.split_at(self.preface.len().min(buf.remaining()));
        buf.put_slice(now);
        self.preface = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
