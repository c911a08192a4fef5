use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use testkit::workload_api::FakeWorkloadApi;
use tufpub::AnchorBundle;

use crate::place::Place;
use crate::spire::Spire;

/// What brings the root keys to the node.
pub(crate) enum Agent {
    /// A Workload API in this process.
    Embedded { socket: PathBuf, api: Option<FakeWorkloadApi> },
    /// A SPIRE server and agent.
    Spire(Box<Spire>),
}

impl Agent {
    pub(crate) fn embedded(place: &Place) -> Self {
        Self::Embedded { socket: place.agent_socket(), api: None }
    }

    /// With the programs of a directory.
    pub(crate) fn spire(programs: &Path, place: &Place) -> Result<Self> {
        Ok(Self::Spire(Box::new(Spire::new(programs, place)?)))
    }

    /// Starts it with these root keys, and with the right of our own user to see them.
    pub(crate) async fn start(&mut self, domain: &str, keys: &AnchorBundle) -> Result<()> {
        match self {
            Self::Embedded { socket, api } => {
                let parent = socket.parent().context("the agent's socket has no directory")?;
                std::fs::create_dir_all(parent)?;
                let started = FakeWorkloadApi::start(socket.as_path())
                    .context("cannot serve the Workload API")?;
                started.set(domain, keys.to_der());
                *api = Some(started);
                Ok(())
            }
            Self::Spire(spire) => spire.start(domain, keys).await,
        }
    }

    /// An admin sets the bundle of the trust domain.
    pub(crate) async fn set(&mut self, domain: &str, keys: &AnchorBundle) -> Result<()> {
        match self {
            Self::Embedded { api, .. } => {
                let api = api.as_ref().context("the Workload API is not served")?;
                api.set(domain, keys.to_der());
                Ok(())
            }
            Self::Spire(spire) => spire.set(domain, keys).await,
        }
    }

    /// It goes down; what it was told stays known.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self {
            Self::Embedded { api, .. } => {
                if let Some(api) = api {
                    api.stop();
                }
                Ok(())
            }
            Self::Spire(spire) => spire.stop().await,
        }
    }

    /// It comes back.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        match self {
            Self::Embedded { api, .. } => {
                let api = api.as_mut().context("the Workload API was never served")?;
                api.restart().context("cannot serve the Workload API")
            }
            Self::Spire(spire) => spire.restart().await,
        }
    }
}
