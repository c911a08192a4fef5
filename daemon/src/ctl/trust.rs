use serde_json::json;
use tufd_proto::v1::admin_client::AdminClient;
use tufd_proto::v1::trust_client::TrustClient;
use tufd_proto::v1::{GetTrustRequest, RefreshRequest, TrustEntry, TrustState};

use super::connect::Daemon;
use super::failure::{Exit, Failure};
use super::program::Answer;
use super::text::clean;
use super::{json, show};

/// Room for dozens of trusts with as many roles as the daemon lists.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// `tufctl status`: every `[[trust]]` in a line.
pub(super) async fn status(daemon: &Daemon) -> Result<Answer, Failure> {
    let state = state(daemon, "").await?;
    Ok(Answer { exit: Exit::Fine, table: show::status(&state), json: json::trust_state(state) })
}

/// `tufctl trust [NAME]`: everything about one, or about each.
pub(super) async fn trust(daemon: &Daemon, name: String) -> Result<Answer, Failure> {
    let state = state(daemon, &name).await?;
    if state.trusts.is_empty() && !name.is_empty() {
        return Err(Failure::NoSuchTrust { name });
    }
    Ok(Answer {
        exit: Exit::Fine,
        table: show::trust_state(&state),
        json: json::trust_state(state),
    })
}

/// `tufctl healthcheck`: in order while one `[[trust]]` can answer ALLOW.
pub(super) async fn healthcheck(daemon: &Daemon) -> Result<Answer, Failure> {
    let state = state(daemon, "").await?;
    let (healthy, ill): (Vec<_>, Vec<_>) =
        state.trusts.iter().partition(|trust| trust.reason.is_empty());
    let text = match (healthy.is_empty(), ill.is_empty()) {
        (true, true) => "unhealthy: there is no [[trust]]".to_owned(),
        (true, false) => format!(
            "unhealthy: {}",
            ill.iter().map(|trust| complaint(trust)).collect::<Vec<_>>().join("; ")
        ),
        (false, _) => format!("healthy: {}", names(&healthy)),
    };
    let exit = if healthy.is_empty() { Exit::Bad } else { Exit::Fine };
    let trusts: Vec<_> = state
        .trusts
        .iter()
        .map(|trust| json!({ "name": trust.name, "reason": trust.reason, "text": trust.text }))
        .collect();
    let json = json!({ "healthy": exit == Exit::Fine, "generation": state.generation, "text": text, "trusts": trusts });
    Ok(Answer { exit, table: format!("{}\n", clean(&text)), json })
}

/// `tufctl refresh [TRUST]`: in order when every step of each verified.
pub(super) async fn refresh(daemon: &Daemon, name: String) -> Result<Answer, Failure> {
    let mut client = AdminClient::new(daemon.channel.clone());
    let request = RefreshRequest { trust: name.clone() };
    let response = daemon
        .answer(client.refresh(request))
        .await?
        .map_err(|status| Failure::about_trust(&status, &name))?;
    let failed = response.results.iter().any(|result| !result.error.is_empty());
    let exit = if failed { Exit::Bad } else { Exit::Fine };
    Ok(Answer { exit, table: show::refresh(&response), json: json::refresh(response) })
}

async fn state(daemon: &Daemon, name: &str) -> Result<TrustState, Failure> {
    let client = TrustClient::new(daemon.channel.clone());
    let mut client = client.max_decoding_message_size(ANSWER_BYTES_MAX);
    let request = GetTrustRequest { trust: name.to_owned() };
    daemon
        .answer(client.get_trust(request))
        .await?
        .map_err(|status| Failure::about_trust(&status, name))
}

fn complaint(trust: &TrustEntry) -> String {
    format!("{}: {}: {}", trust.name, trust.reason, trust.text)
}

fn names(trusts: &[&TrustEntry]) -> String {
    trusts.iter().map(|trust| trust.name.as_str()).collect::<Vec<_>>().join(", ")
}
