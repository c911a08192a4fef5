//! HTTP, with everything off that a metadata source has no use for.

use reqwest::{Client, Response, StatusCode, redirect};
use url::Url;

use super::limits::Pace;
use super::url::Place;
use super::{ByteLimit, Failure, Fetched, Limits, Take};

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
    let mut bytes = Vec::new();
    let mut take = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    match copy(client, url, limit, limits, &mut take).await? {
        Fetched::Found(()) => Ok(Fetched::Found(bytes)),
        Fetched::Absent => Ok(Fetched::Absent),
    }
}

pub(super) async fn copy(
    client: &Client,
    url: Url,
    limit: ByteLimit,
    limits: &Limits,
    take: Take<'_>,
) -> Result<Fetched<()>, Failure> {
    let mut pace = Pace::start(*limits);
    let response = pace.wait(client.get(url).send()).await?.map_err(failure)?;
    let code = response.status();
    match code {
        StatusCode::OK => body(response, limit, pace, take).await.map(Fetched::Found),
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
    take: Take<'_>,
) -> Result<(), Failure> {
    if response.content_length().is_some_and(|length| length > limit.bytes()) {
        return Err(Failure::TooBig { limit });
    }
    let mut total = 0_u64;
    while let Some(piece) = pace.wait(response.chunk()).await?.map_err(failure)? {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        total = total.saturating_add(length);
        if total > limit.bytes() {
            return Err(Failure::TooBig { limit });
        }
        pace.received(length);
        take(&piece).map_err(|source| Failure::Unwritable { source })?;
    }
    Ok(())
}

fn failure(error: reqwest::Error) -> Failure {
    let source = error.without_url();
    if source.is_connect() { Failure::Unreachable { source } } else { Failure::Broken { source } }
}
