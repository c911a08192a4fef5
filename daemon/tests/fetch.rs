//! Sources that lie, stall, redirect and flood; names that would be paths; mirrors of which some fail.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tufd::fetch::{
    ByteLimit, Failure, FetchError, Fetched, FileName, FileNameError, HttpRule, Limits, Mirrors,
    Patience, Source, SourceError, SourceIndex, SourceUrl,
};

const LIMIT: ByteLimit = ByteLimit::new(1000);

fn timestamp() -> FileName {
    FileName::metadata(None, "timestamp").unwrap()
}

fn source(url: &str, limits: Limits) -> Source {
    Source::open(SourceUrl::parse(url, HttpRule::LoopbackOnly).unwrap(), limits).unwrap()
}

/// Hangs up on anything slower than 1 GB/s, and on silence soon.
fn impatient() -> Limits {
    Limits {
        window: Duration::from_millis(50),
        window_bytes: 50_000_000,
        hedge: Duration::from_millis(20),
        ..Limits::default()
    }
}

/// A server that treats each connection with `serve`, given the request's head. Its address is returned.
async fn server<F, S>(serve: S) -> String
where
    S: Fn(String, TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            tokio::spawn(serve(String::from_utf8(head).unwrap(), stream));
        }
    });
    format!("http://{address}/metadata")
}

/// A server that always answers with these bytes and hangs up.
async fn answering(answer: &'static str) -> String {
    server(move |_, mut stream| async move {
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
}

async fn hanging() -> String {
    server(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

async fn get(url: &str) -> Result<Fetched, FetchError> {
    source(url, Limits::default()).get(&timestamp(), LIMIT).await
}

async fn failure_of(answer: &'static str) -> Failure {
    get(&answering(answer).await).await.unwrap_err().failure
}

#[tokio::test]
async fn http_found_asks_for_the_file_and_little_else() {
    let (sender, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let url =
        server(move |head, mut stream| {
            sender.send(head).unwrap();
            async move {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap()
            }
        })
        .await;
    assert_eq!(get(&url).await.unwrap(), Fetched::Found(b"{}".to_vec()));
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with("GET /metadata/timestamp.json HTTP/1.1\r\n"), "{head}");
    assert!(head.contains(concat!("user-agent: tufd/", env!("CARGO_PKG_VERSION"))), "{head}");
    for absent in ["accept-encoding", "referer", "cookie", "authorization"] {
        assert!(!head.contains(absent), "{head}");
    }
}

#[tokio::test]
async fn http_404_and_403_are_absence_and_nothing_else_is() {
    for code in ["404 Not Found", "403 Forbidden"] {
        let url = server(move |_, mut stream| async move {
            let answer = format!("HTTP/1.1 {code}\r\ncontent-length: 4\r\n\r\ngone");
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        assert_eq!(get(&url).await.unwrap(), Fetched::Absent);
    }
    for (answer, expected) in [
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", 500),
        ("HTTP/1.1 429 Slow Down\r\ncontent-length: 0\r\n\r\n", 429),
        ("HTTP/1.1 401 Who\r\ncontent-length: 0\r\n\r\n", 401),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410),
        ("HTTP/1.1 206 Part\r\ncontent-length: 2\r\n\r\n{}", 206),
        ("HTTP/1.1 204 Empty\r\n\r\n", 204),
    ] {
        let Failure::Status { code } = failure_of(answer).await else { panic!("{answer}") };
        assert_eq!(code, expected);
    }
}

#[tokio::test]
async fn http_redirect_is_not_followed() {
    let reached = Arc::new(AtomicU64::new(0));
    let count = reached.clone();
    let inner = server(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        async {}
    })
    .await;
    let url = server(move |_, mut stream| {
        let answer =
            format!("HTTP/1.1 302 Found\r\nlocation: {inner}/x\r\ncontent-length: 0\r\n\r\n");
        async move { stream.write_all(answer.as_bytes()).await.unwrap() }
    })
    .await;
    let failure = get(&url).await.unwrap_err().failure;
    assert!(matches!(failure, Failure::Redirect { code: 302 }), "{failure:?}");
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn http_length_above_the_limit_is_refused_unread() {
    let failure = failure_of("HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n").await;
    assert!(matches!(failure, Failure::TooBig { limit: LIMIT }), "{failure:?}");
}

#[tokio::test]
async fn http_length_that_lies_is_no_file() {
    let failure = failure_of("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{}").await;
    assert!(matches!(failure, Failure::Broken { .. }), "{failure:?}");
    let longer = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}{}").await;
    assert_eq!(get(&longer).await.unwrap(), Fetched::Found(b"{}".to_vec()));
    let failure = failure_of("not HTTP at all\r\n\r\n").await;
    assert!(matches!(failure, Failure::Broken { .. }), "{failure:?}");
}

#[tokio::test]
async fn http_body_of_exactly_the_limit_is_found() {
    let url = server(|_, mut stream| async move {
        let body = "x".repeat(1000);
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    assert_eq!(get(&url).await.unwrap(), Fetched::Found(vec![b'x'; 1000]));
}

#[tokio::test]
async fn http_endless_body_is_cut_while_reading() {
    let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let url = server(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await
                .unwrap();
            let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
            let mut count = 0_u64;
            while count < 10_000_000_000 && stream.write_all(&chunk).await.is_ok() {
                count += 0x10000;
            }
            sender.send(count).unwrap();
        }
    })
    .await;
    let failure = get(&url).await.unwrap_err().failure;
    assert!(matches!(failure, Failure::TooBig { limit: LIMIT }), "{failure:?}");
    // What was sent fits into the buffers of the two sockets: the connection was closed, not drained.
    assert!(sent.recv().await.unwrap() < 50_000_000);
}

#[tokio::test]
async fn http_drip_is_cut() {
    let url = server(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n").await.unwrap();
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let error = source(&url, impatient()).get(&timestamp(), LIMIT).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Slow { .. }), "{error:?}");
}

#[tokio::test]
async fn http_fast_but_endless_in_time_is_cut() {
    let limits = Limits {
        window: Duration::from_millis(20),
        window_bytes: 0,
        total: Duration::from_millis(100),
        ..Limits::default()
    };
    let error = source(&hanging().await, limits).get(&timestamp(), LIMIT).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Slow { .. }), "{error:?}");
}

#[tokio::test]
async fn http_silence_is_cut() {
    let error = source(&hanging().await, impatient()).get(&timestamp(), LIMIT).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Slow { received_bytes: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn http_refused_connection_names_source_and_file() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = get(&format!("http://{address}/m")).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("cannot fetch timestamp.json from http://{address}/m/"));
}

#[tokio::test]
async fn https_without_tls_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
    });
    let error = get(&url).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn http_hostile_role_is_one_segment() {
    let (sender, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let url =
        server(move |head, mut stream| {
            sender.send(head).unwrap();
            async move {
                stream.write_all(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n").await.unwrap()
            }
        })
        .await;
    let source = source(&url, Limits::default());
    for (role, segment) in HOSTILE {
        source.get(&FileName::metadata(Some(7), role).unwrap(), LIMIT).await.unwrap();
        let head = heads.recv().await.unwrap();
        assert!(
            head.starts_with(&format!("GET /metadata/7.{segment}.json HTTP/1.1\r\n")),
            "{head}"
        );
    }
}

const HOSTILE: [(&str, &str); 12] = [
    ("../x", "..%2Fx"),
    ("..", ".."),
    (".", "."),
    ("/etc/passwd", "%2Fetc%2Fpasswd"),
    ("..\\x", "..%5Cx"),
    ("%2e%2e", "%252e%252e"),
    ("a?b#c", "a%3Fb%23c"),
    ("a\0b\r\nc", "a%00b%0D%0Ac"),
    ("//evil.example/x", "%2F%2Fevil.example%2Fx"),
    ("http://evil.example", "http%3A%2F%2Fevil.example"),
    ("\u{1f37a}/30", "%F0%9F%8D%BA%2F30"),
    ("a+b c~d_e-f", "a%2Bb%20c~d_e-f"),
];

#[test]
fn name_hostile_role_never_becomes_a_path() {
    for (role, segment) in HOSTILE {
        let name = FileName::metadata(None, role).unwrap();
        assert_eq!(name.as_str(), format!("{segment}.json"));
        assert_eq!(std::path::Path::new(name.as_str()).components().count(), 1, "{name}");
    }
    assert_eq!(FileName::metadata(Some(12), "root").unwrap().as_str(), "12.root.json");
}

#[test]
fn name_too_long_or_empty_is_refused_by_role() {
    assert!(FileName::metadata(None, &"x".repeat(250)).is_ok());
    assert!(FileName::metadata(None, &"x".repeat(251)).is_err());
    assert!(FileName::metadata(None, "").is_err());
    let error =
        FileName::metadata(None, &format!("\u{1b}[31m{}", "é".repeat(100_000))).unwrap_err();
    let FileNameError { role, found_bytes } = &error;
    assert!(role.starts_with("\\u{1b}[31mééé") && role.len() < 200, "{role}");
    assert_eq!(*found_bytes, "%1B%5B31m.json".len() + 600_000);
}

#[test]
fn url_refuses_what_it_does_not_mean() {
    let parse = |text: &str| SourceUrl::parse(text, HttpRule::LoopbackOnly);
    for (text, shown) in [
        ("https://tuf.acme.example/metadata", "https://tuf.acme.example/metadata/"),
        ("https://tuf.acme.example", "https://tuf.acme.example/"),
        ("http://127.8.0.1:80/x/", "http://127.8.0.1/x/"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("file:///srv/tuf", "file:///srv/tuf/"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), shown);
    }
    for host in
        ["localhost", "tuf.acme.example", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"]
    {
        let text = format!("http://{host}/");
        let refused = parse(&text).unwrap_err();
        assert!(matches!(refused, SourceError::PlainHttp { .. }), "{refused}");
        SourceUrl::parse(&text, HttpRule::Anywhere).unwrap();
    }
    for text in [
        "https://user@acme.example/",
        "https://:secret@acme.example/",
        "https://acme.example/?q",
        "https://acme.example/#f",
        " https://acme.example/",
        "https://acme.example/a\\b",
        "https://acme.example/a\nb",
    ] {
        let refused = parse(text).unwrap_err();
        assert!(matches!(refused, SourceError::Superfluous { .. }), "{text}: {refused}");
    }
    assert!(
        matches!(parse("oci://acme.example/x"), Err(SourceError::NotYet { scheme }) if scheme == "oci")
    );
    assert!(
        matches!(parse("ftp://acme.example/"), Err(SourceError::Scheme { scheme }) if scheme == "ftp")
    );
    assert!(matches!(parse("/srv/tuf"), Err(SourceError::NotAUrl { .. })));
    for text in ["file://acme.example/srv", "file:///srv/a%00b"] {
        assert!(matches!(parse(text), Err(SourceError::NoDirectory { .. })), "{text}");
    }
}

/// A directory with `timestamp.json` as `make` makes it, and what came of fetching it.
async fn in_directory(make: impl FnOnce(&std::path::Path)) -> Result<Fetched, FetchError> {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("timestamp.json"));
    get(&format!("file://{}", dir.path().display())).await
}

#[tokio::test]
async fn file_found_absent_and_too_big() {
    let found = in_directory(|path| std::fs::write(path, [b'x'; 1000]).unwrap()).await;
    assert_eq!(found.unwrap(), Fetched::Found(vec![b'x'; 1000]));
    assert_eq!(in_directory(|_| ()).await.unwrap(), Fetched::Absent);
    let big = in_directory(|path| std::fs::write(path, [b'x'; 1001]).unwrap()).await.unwrap_err();
    assert!(matches!(big.failure, Failure::TooBig { limit: LIMIT }), "{big:?}");
    let sparse =
        in_directory(|path| std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap());
    assert!(matches!(sparse.await.unwrap_err().failure, Failure::TooBig { .. }));
}

#[tokio::test]
async fn file_fifo_symlink_and_directory_are_not_files() {
    let fifo = in_directory(|path| {
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    });
    let symlink = in_directory(|path| {
        std::fs::write(path.with_extension("real"), "{}").unwrap();
        std::os::unix::fs::symlink(path.with_extension("real"), path).unwrap();
    });
    let directory = in_directory(|path| std::fs::create_dir(path).unwrap());
    for result in [fifo.await, symlink.await, directory.await] {
        let failure = result.unwrap_err().failure;
        assert!(matches!(failure, Failure::NotAFile), "{failure:?}");
    }
}

#[tokio::test]
async fn file_missing_directory_is_not_absence() {
    let failure = get("file:///nonexistent-directory-of-tufd/").await.unwrap_err().failure;
    assert!(matches!(failure, Failure::NoDirectory), "{failure:?}");
}

/// The only blocking thread stands for a network file system that hangs: reads begin and do not end.
#[test]
fn file_source_that_hangs_holds_two_reads_and_no_more() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mend, mended) = std::sync::mpsc::channel::<()>();
        let hung = tokio::task::spawn_blocking(move || mended.recv());
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("timestamp.json"), "{}").unwrap();
        let limits = Limits { total: Duration::from_millis(20), ..Limits::default() };
        let source = source(&format!("file://{}", dir.path().display()), limits);
        for _ in 0..2 {
            let failure = source.get(&timestamp(), LIMIT).await.unwrap_err().failure;
            assert!(matches!(failure, Failure::Slow { .. }), "{failure:?}");
        }
        for _ in 0..100 {
            let failure = source.clone().get(&timestamp(), LIMIT).await.unwrap_err().failure;
            assert!(matches!(failure, Failure::Hung { reads: 2 }), "{failure:?}");
        }
        mend.send(()).unwrap();
        hung.await.unwrap().unwrap();
        // Behind both reads in the queue of the one thread.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        assert_eq!(source.get(&timestamp(), LIMIT).await.unwrap(), Fetched::Found(b"{}".to_vec()));
    });
}

#[tokio::test]
async fn file_hostile_role_stays_in_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = dir.path().join("metadata");
    std::fs::create_dir(&metadata).unwrap();
    std::fs::write(dir.path().join("x.json"), "outside").unwrap();
    let source = source(&format!("file://{}", metadata.display()), Limits::default());
    let name = FileName::metadata(None, "../x").unwrap();
    assert_eq!(source.get(&name, LIMIT).await.unwrap(), Fetched::Absent);
    std::fs::write(metadata.join("..%2Fx.json"), "inside").unwrap();
    assert_eq!(source.get(&name, LIMIT).await.unwrap(), Fetched::Found(b"inside".to_vec()));
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
const EVIL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
const NONE: &str = "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n";

fn mirrors(urls: &[String]) -> Mirrors {
    // Waits for ever for each source: only asking the next one gets further.
    let limits = Limits { hedge: Duration::from_millis(20), ..Limits::default() };
    Mirrors::new(urls.iter().map(|url| source(url, limits)).collect())
}

#[tokio::test]
async fn mirrors_hang_and_refuse_and_the_third_answers() {
    let mirrors = mirrors(&[hanging().await, hanging().await, answering(GOOD).await]);
    let answer = mirrors.first(&timestamp(), LIMIT).next().await.unwrap();
    assert_eq!(answer.source, SourceIndex(2));
    assert_eq!(answer.result.unwrap(), Fetched::Found(b"good".to_vec()));
}

#[tokio::test]
async fn mirrors_failed_one_is_followed_by_the_next() {
    let mirrors =
        mirrors(&["file:///nonexistent-directory-of-tufd/".into(), answering(GOOD).await]);
    let mut candidates = mirrors.first(&timestamp(), LIMIT);
    let first = candidates.next().await.unwrap();
    assert!(matches!(first.result.unwrap_err().failure, Failure::NoDirectory));
    let second = candidates.next().await.unwrap();
    assert_eq!(second.result.unwrap(), Fetched::Found(b"good".to_vec()));
    assert!(candidates.next().await.is_none());
}

#[tokio::test]
async fn mirrors_refused_candidate_is_followed_by_the_next_and_asked_last_from_then_on() {
    let mirrors = mirrors(&[answering(EVIL).await, answering(NONE).await, answering(GOOD).await]);
    // Hedging would ask a second source if this machine were slow: only what was refused matters here.
    let mut candidates = mirrors.first(&timestamp(), LIMIT);
    let mut seen = Vec::new();
    while let Some(answer) = candidates.next().await {
        if matches!(&answer.result, Ok(Fetched::Found(bytes)) if bytes == b"evil") {
            mirrors.refused(answer.source, &"bad signature");
        }
        seen.push(answer.source);
    }
    seen.sort();
    assert_eq!(seen, [0, 1, 2].map(SourceIndex));
    let health = mirrors.health();
    assert_eq!(health[0].last_error.as_ref().unwrap().1, "bad signature");
    assert!(health[0].last_answer.is_some() && health[2].last_error.is_none());
    let patient = Mirrors::new(vec![
        source(&answering(EVIL).await, Limits::default()),
        source(&answering(GOOD).await, Limits::default()),
    ]);
    patient.refused(SourceIndex(0), &"bad signature");
    let answer = patient.first(&timestamp(), LIMIT).next().await.unwrap();
    assert_eq!(answer.source, SourceIndex(1));
}

#[tokio::test]
async fn mirrors_all_are_asked_and_each_is_named() {
    let mirrors = Mirrors::new(vec![
        source(&answering(NONE).await, Limits::default()),
        source(&hanging().await, impatient()),
        source(&answering(GOOD).await, Limits::default()),
    ]);
    let answers = mirrors.all(&timestamp(), LIMIT, Patience::Thorough).await;
    let [absent, hung, good] = answers.try_into().unwrap();
    assert_eq!((absent.source, absent.result.unwrap()), (SourceIndex(0), Fetched::Absent));
    assert!(matches!(hung.result.unwrap_err().failure, Failure::Slow { .. }));
    assert_eq!(good.result.unwrap(), Fetched::Found(b"good".to_vec()));
    let health = mirrors.health();
    assert!(health[0].last_answer.is_some() && health[1].last_answer.is_none());
    assert!(health[1].last_error.as_ref().unwrap().1.starts_with("timestamp.json: "));
}

#[tokio::test]
async fn mirrors_hung_one_does_not_hold_up_who_waits() {
    let mirrors = mirrors(&[hanging().await, answering(GOOD).await]);
    let answers = mirrors.all(&timestamp(), LIMIT, Patience::Hedged).await;
    assert!(answers.iter().all(|answer| answer.source == SourceIndex(1)));
    assert_eq!(answers.len(), 1);
}
