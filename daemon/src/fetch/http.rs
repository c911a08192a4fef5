//! HTTP, with everything off that a metadata source has no use for.

use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::limits::Pace;
use super::url::Place;
use super::{ByteLimit, Failure, Fetched, Limits};

const USER_AGENT: &str = concat!("tufd/", env!("CARGO_PKG_VERSION"));

/// A client for one source: of its scheme only, without redirects and without a proxy from the environment.
/// Decompression is compiled out.
pub(super) fn client(place: &Place, limits: &Limits) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(limits.connect);
    match place {
        Place::Https => builder.https_only(true),
        // Without roots there is nothing to load: a machine without CA certificates can use plain sources.
        Place::Http | Place::Directory(_) => builder.tls_certs_only([]),
    }
    .build()
}

pub(super) async fn get(
    client: &Client,
    url: Url,
    limit: ByteLimit,
    limits: &Limits,
) -> Result<Fetched, Failure> {
    let mut pace = Pace::start(*limits);
    let response = pace.wait(client.get(url).send()).await?.map_err(failure)?;
    let code = response.status();
    match code {
        StatusCode::OK => body(response, limit, pace).await.map(Fetched::Found),
        // Object stores answer 403 for what is not there.
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(Fetched::Absent),
        _ if code.is_redirection() => Err(Failure::Redirect { code: code.as_u16() }),
        _ => Err(Failure::Status { code: code.as_u16() }),
    }
}

async fn body(
    mut response: Response,
    limit: ByteLimit,
    mut pace: Pace,
) -> Result<Vec<u8>, Failure> {
    if response.content_length().is_some_and(|length| length > limit.bytes()) {
        return Err(Failure::TooBig { limit });
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = pace.wait(response.chunk()).await?.map_err(failure)? {
        let total = bytes.len().saturating_add(chunk.len());
        if u64::try_from(total).is_ok_and(|total| total > limit.bytes()) {
            return Err(Failure::TooBig { limit });
        }
        pace.received(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn failure(error: reqwest::Error) -> Failure {
    let source = error.without_url();
    if source.is_connect() { Failure::Unreachable { source } } else { Failure::Broken { source } }
}
