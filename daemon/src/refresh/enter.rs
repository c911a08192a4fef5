//! The first root: a walk along versions until one is covered by today's anchor.

use tufd_tuf::anchor::Anchor;
use tufd_tuf::floors::RootFloor;
use tufd_tuf::metadata::{Role as _, Root};
use tufd_tuf::refusal::Refusal;
use tufd_tuf::root::TrustedRoot;
use tufd_tuf::verified::Raw;

use super::RefreshError;
use super::update::{Offered, Update};
use crate::causes::in_one_line;

/// More versions are not looked at in one walk.
const WALK_MAX: usize = 256;

impl Update<'_> {
    /// The trusted root, from the network: the one that the floor file names, or the first that can be entered.
    pub(super) async fn first_root(
        &mut self,
        floor: Option<&RootFloor>,
    ) -> Result<TrustedRoot, RefreshError> {
        match floor {
            Some(floor) => self.restore(floor).await,
            None => self.enter().await,
        }
    }

    /// Our copy was lost: only the very file that was trusted will do.
    async fn restore(&mut self, floor: &RootFloor) -> Result<TrustedRoot, RefreshError> {
        let offered = self.ask_all(Some(floor.version), Root::TYPE, Root::BYTES_MAX).await?;
        let take = |bytes| Raw::new(bytes).and_then(|raw| TrustedRoot::restore(raw, floor));
        self.first_of(offered, take)
    }

    async fn enter(&mut self) -> Result<TrustedRoot, RefreshError> {
        let first = self.trust().min_root_version;
        let from =
            self.todays_anchor()?.least_root_version().map_or(first, |least| least.max(first));
        let (mut version, mut last) = (from, "the repository has no such root".to_owned());
        for _ in 0..WALK_MAX {
            let offered = self.ask_all(Some(version), Root::TYPE, Root::BYTES_MAX).await?;
            if offered.is_empty() {
                offered.nothing()?;
                return Err(RefreshError::NotEntered { from, last });
            }
            // Asking took time, and only an epoch leaves what was entered: the anchor of now counts.
            let anchor = self.todays_anchor()?;
            let take =
                |bytes| Raw::new(bytes).and_then(|raw| TrustedRoot::enter(raw, version, &anchor));
            match self.first_of(offered, take) {
                Ok(root) => return Ok(root),
                Err(error) => last = in_one_line(&error),
            }
            version = version.next();
        }
        Err(RefreshError::NotEntered { from, last })
    }

    /// The first copy that may be taken, with the signatures of those after it.
    fn first_of(
        &mut self,
        offered: Offered,
        take: impl Fn(Vec<u8>) -> Result<TrustedRoot, Refusal>,
    ) -> Result<TrustedRoot, RefreshError> {
        let also = |root: TrustedRoot, bytes| {
            Raw::new(bytes).and_then(|raw| root.also(raw)).map_err(|why| (root, why))
        };
        self.united((), offered, |(), bytes| take(bytes).map_err(|why| ((), why)), also)
            .map_err(|((), error)| error)
    }

    fn todays_anchor(&self) -> Result<Anchor, RefreshError> {
        let anchor = self.view().anchor_to_enter(self.now());
        anchor.map_err(|why| RefreshError::NoAnchor { why })
    }
}
