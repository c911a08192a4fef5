//! Each manner as a client sees it.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::org;
use crate::site::{Manner, Site};

const FILE: &str = "timestamp.json";
/// Long enough for any answer over loopback, and shorter than a drip's.
const SOON: Duration = Duration::from_millis(500);

async fn ask(site: &Site) -> TcpStream {
    let address = site.url().replace("http://", "");
    let mut stream = TcpStream::connect(address.trim_end_matches('/')).await.unwrap();
    stream.write_all(format!("GET /{FILE} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

/// All that comes; `None` while it has not ended.
async fn answer(site: &Site) -> Option<String> {
    let mut text = String::new();
    let mut stream = ask(site).await;
    timeout(SOON, stream.read_to_string(&mut text)).await.ok().map(|_| text)
}

#[tokio::test]
async fn every_manner_is_what_it_says() {
    let (_, files) = org();
    let bytes = files.get(FILE).unwrap().len();
    let site = Site::start(files).await;
    let whole = answer(&site).await.unwrap();
    for (manner, status, body_bytes) in [
        (Manner::Well, "200", bytes),
        (Manner::Truncated, "200", bytes / 2),
        (Manner::Absent, "404", 26),
        (Manner::Unavailable, "503", 26),
        (Manner::Html, "200", 26),
        (Manner::Redirect("http://127.0.0.1:9/".to_owned()), "302", 0),
    ] {
        site.behave(manner.clone());
        let text = answer(&site).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{manner:?}: {head}");
        assert_eq!(body.len(), body_bytes, "{manner:?}");
        assert_eq!(head.contains("location: http://127.0.0.1:9/timestamp.json"), status == "302");
    }
    site.behave(Manner::Gone);
    assert_eq!(answer(&site).await.as_deref(), Some(""));
    for manner in [Manner::Hang, Manner::Drip] {
        site.behave(manner.clone());
        assert_eq!(answer(&site).await, None, "{manner:?}");
    }
    site.behave(Manner::Hang);
    site.behave_for(FILE, Manner::Well);
    assert_eq!(answer(&site).await, Some(whole));
    assert_eq!((site.asked_for(FILE), site.asked()), (11, 11));
}

#[tokio::test]
async fn long_bodies_come_for_as_long_as_they_are_read() {
    let site = Site::start(org().1).await;
    for (manner, length) in [
        (Manner::Long, "content-length: 10000000000\r\n"),
        (Manner::Endless, "transfer-encoding: chunked\r\n"),
    ] {
        site.behave(manner);
        let mut read = vec![0; 20_000_000];
        ask(&site).await.read_exact(&mut read).await.unwrap();
        assert!(String::from_utf8_lossy(&read).contains(length));
    }
}
