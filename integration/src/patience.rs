//! Waiting for what must come.

use std::time::Duration;

use tokio::time::{sleep, timeout};

const PAUSE: Duration = Duration::from_millis(1);

/// Tries again and again until there is something, but no longer than this.
pub async fn within<T>(
    patience: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> Option<T> {
    let trying = async {
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(patience, trying).await.ok()
}
