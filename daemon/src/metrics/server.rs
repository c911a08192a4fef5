//! `GET /metrics` over HTTP/1, for a Prometheus that nobody vouches for: few connections, each for one short exchange.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Picture;

/// Connections at once; a further one is closed unread.
pub const CONNECTIONS_MAX: usize = 8;
/// From accept to the last byte of the answer.
pub const EXCHANGE_DEADLINE: Duration = Duration::from_secs(5);
/// Head of a request, bytes. hyper takes no less.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// After a failed accept, so that running out of descriptors does not spin.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(100);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until it is dropped, and with it the exchanges under way.
pub async fn serve(listener: TcpListener, picture: Picture) {
    let mut registry = Registry::with_prefix("tufd");
    registry.register_collector(Box::new(picture));
    let (registry, places) = (Arc::new(registry), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    let mut exchanges = tokio::task::JoinSet::new();
    loop {
        while exchanges.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let registry = Arc::clone(&registry);
                exchanges.spawn(async move {
                    // Whoever is slow or talks nonsense loses the connection and is no news.
                    let _ = timeout(EXCHANGE_DEADLINE, exchange(stream, &registry)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "metrics: cannot accept");
                sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

async fn exchange(stream: TcpStream, registry: &Registry) -> hyper::Result<()> {
    let service = service_fn(|request| ready(Ok::<_, Infallible>(answer(&request, registry))));
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<String> {
    let mut response = Response::new(String::new());
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    } else if encode(response.body_mut(), registry).is_err() {
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    } else {
        let value = hyper::header::HeaderValue::from_static(OPEN_METRICS);
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}
