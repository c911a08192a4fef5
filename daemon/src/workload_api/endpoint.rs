//! Where a socket is, as configured.

use std::path::PathBuf;

use spiffe::constants::SPIFFE_SOCKET_ENV;
use spiffe::transport::Endpoint;

/// Why a socket's address is none.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Neither configured nor in the environment.
    #[error("no Workload API socket is configured and SPIFFE_ENDPOINT_SOCKET is not set")]
    Missing,
    /// Neither an absolute path nor a `unix:` URI.
    #[error("{address:?} is neither an absolute path nor a unix: URI")]
    Form {
        /// As given.
        address: String,
        /// What is wrong with the URI, if it is one.
        source: Option<spiffe::transport::EndpointError>,
    },
}

/// The Workload API's socket: `configured` if given, else the environment's `SPIFFE_ENDPOINT_SOCKET`
/// (SPIFFE Workload Endpoint, 4).
///
/// # Errors
/// [`EndpointError`] when there is none or it is no Unix socket.
pub fn endpoint_path(configured: Option<&str>) -> Result<PathBuf, EndpointError> {
    endpoint_path_with(configured, std::env::var(SPIFFE_SOCKET_ENV).ok().as_deref())
}

/// An absolute path or a `unix:` URI, as every socket of the configuration is written.
///
/// # Errors
/// [`EndpointError::Form`].
pub fn socket_path(address: &str) -> Result<PathBuf, EndpointError> {
    if address.starts_with('/') {
        return Ok(PathBuf::from(address));
    }
    match Endpoint::parse(address) {
        Ok(Endpoint::Unix(path)) => Ok(path),
        Ok(_) => Err(EndpointError::Form { address: address.to_owned(), source: None }),
        Err(error) => Err(EndpointError::Form { address: address.to_owned(), source: Some(error) }),
    }
}

fn endpoint_path_with(
    configured: Option<&str>,
    environment: Option<&str>,
) -> Result<PathBuf, EndpointError> {
    socket_path(configured.or(environment).ok_or(EndpointError::Missing)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_takes_paths_and_unix_uris() {
        for address in ["/run/a.sock", "unix:/run/a.sock", "unix:///run/a.sock"] {
            assert_eq!(socket_path(address).unwrap(), PathBuf::from("/run/a.sock"), "{address}");
        }
    }

    #[test]
    fn endpoint_other_addresses_refused() {
        for address in [
            "",
            "run/a.sock",
            "unix:run/a.sock",
            "unix://host/a.sock",
            "unix:/",
            "tcp:127.0.0.1:8081",
            "@a",
        ] {
            assert!(matches!(socket_path(address), Err(EndpointError::Form { .. })), "{address}");
        }
    }

    #[test]
    fn endpoint_configuration_wins_over_the_environment() {
        let of = |configured, environment| endpoint_path_with(configured, environment);
        assert_eq!(of(Some("/c"), Some("unix:/e")).unwrap(), PathBuf::from("/c"));
        assert_eq!(of(None, Some("unix:/e")).unwrap(), PathBuf::from("/e"));
        assert!(matches!(of(None, None), Err(EndpointError::Missing)));
        assert!(matches!(of(None, Some("tcp:127.0.0.1:1")), Err(EndpointError::Form { .. })));
    }
}
