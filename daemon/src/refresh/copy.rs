//! What the database's copy vouches for, taken up where the plain files are damaged or gone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tufd_tuf::trust::Trust;

use super::{Keeper, Replayed};
use crate::causes::in_one_line;

/// The copy of one trust, as soon as the database is open.
pub type Copy = oneshot::Receiver<Replayed>;

/// Where plain files are damaged or gone, the network is not asked sooner.
const OPEN_WITHIN: Duration = Duration::from_secs(2);

/// Waits for the copy while it is likely to come at once; gives it back where it does not.
pub(super) async fn first(keeper: &Keeper, mut copy: Copy) -> Option<Copy> {
    if keeper.view().chain.is_some() && keeper.record.is_whole() {
        return Some(copy);
    }
    match timeout(OPEN_WITHIN, &mut copy).await {
        Ok(found) => {
            take_up(keeper, found.unwrap_or_default()).await;
            None
        }
        Err(_) => Some(copy),
    }
}

/// Waits for a copy that has not come yet; for ever where none will.
pub(super) async fn later(copy: &mut Option<Copy>) -> Replayed {
    match copy {
        Some(waiting) => {
            let found = waiting.await.unwrap_or_default();
            *copy = None;
            found
        }
        None => std::future::pending().await,
    }
}

/// Takes up what is lacking. It passed the gate that the plain files pass.
pub(super) async fn take_up(keeper: &Keeper, Replayed { root, chain, older: _ }: Replayed) {
    let view = keeper.view();
    let Some(root) = view.root.clone().or(root) else { return };
    let chain = chain
        .and_then(|chain| chain.under(&root).ok())
        .filter(|chain| view.chain.as_ref().is_none_or(|held| is_less(held, chain)))
        .map(Arc::new);
    if view.root.is_some() && chain.is_none() {
        return;
    }
    if let Some(chain) = &chain
        && let Err(error) = keeper.record.chain_again(chain).await
    {
        tracing::warn!(trust = %keeper.trust.name, error = in_one_line(&error), "the copy from the database stays the only one");
    }
    keeper.board.update(&keeper.trust.name, |view| {
        view.root = Some(root);
        if let Some(chain) = chain {
            view.chain = Some(chain);
        }
    });
    tracing::warn!(trust = %keeper.trust.name, "taken up from the database");
}

/// Whether `held` is the same chain with fewer roles.
fn is_less(held: &Trust, chain: &Trust) -> bool {
    held.timestamp().hash() == chain.timestamp().hash()
        && held.roles().count() < chain.roles().count()
}
