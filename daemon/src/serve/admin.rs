//! `tufd.v1.Admin`, on the admin socket only.

use tokio::task::JoinSet;
use tonic::{Request, Response, Status};
use tufd_proto::v1;
use tufd_proto::v1::admin_server::Admin;

use super::trust::versions;
use super::{Shared, wire};
use crate::causes::in_one_line;
use crate::peer::Peer;
use crate::refresh::{Changed, Refresher};

/// The operator's commands.
#[derive(Debug, Clone)]
pub struct AdminService(pub Shared);

#[tonic::async_trait]
impl Admin for AdminService {
    async fn refresh(
        &self,
        request: Request<v1::RefreshRequest>,
    ) -> Result<Response<v1::RefreshResponse>, Status> {
        let named = self.0.named(&request.get_ref().trust)?;
        // All at once: a slow source of one trust holds no other one up.
        let mut under_way = JoinSet::new();
        for (name, refresher) in named {
            let (service, name, refresher) = (self.clone(), name.clone(), refresher.clone());
            under_way.spawn(async move { service.refresh_one(&name, &refresher).await });
        }
        let mut results = Vec::new();
        while let Some(ended) = under_way.join_next().await {
            results.push(ended.map_err(|error| Status::internal(error.to_string()))??);
        }
        results.sort_by(|a, b| a.trust.cmp(&b.trust));
        Ok(Response::new(v1::RefreshResponse { results }))
    }

    async fn reset_time_floor(
        &self,
        request: Request<v1::ResetTimeFloorRequest>,
    ) -> Result<Response<v1::ResetTimeFloorResponse>, Status> {
        let peer = request.extensions().get::<Peer>().copied();
        let trust = request.into_inner().trust;
        if trust.is_empty() {
            return Err(Status::invalid_argument("name one [[trust]]"));
        }
        let Some((_, refresher)) = self.0.named(&trust)?.pop() else { return Err(going_down()) };
        // Before it is done: whoever asks and hangs up leaves a line as well.
        let floor = self.0.board.trust(&trust).and_then(|view| view.time_floor);
        let (uid, pid) = (peer.map(|peer| peer.uid), peer.and_then(|peer| peer.pid));
        let text = floor.map_or_else(|| "there is none".to_owned(), |floor| floor.to_string());
        tracing::warn!(target: "audit", trust, text, uid, pid, "TIME_FLOOR_RESET");
        let done = refresher.reset_time_floor().await.ok_or_else(going_down)?;
        let before = done.map_err(|error| Status::internal(in_one_line(&error)))?;
        Ok(Response::new(v1::ResetTimeFloorResponse { trust, before: before.map(wire::time) }))
    }
}

impl AdminService {
    async fn refresh_one(
        &self,
        name: &str,
        refresher: &Refresher,
    ) -> Result<v1::RefreshResult, Status> {
        let done = refresher.now().await.ok_or_else(going_down)?;
        let generation = self.0.board.now();
        Ok(v1::RefreshResult {
            trust: name.to_owned(),
            error: done.error.unwrap_or_default(),
            changed: done.changed == Changed::Yes,
            generation: generation.number,
            versions: generation.trusts.get(name).map(|view| versions(view)).unwrap_or_default(),
        })
    }
}

fn going_down() -> Status {
    Status::unavailable("tufd is going down")
}
