//! Clients that ask all the time.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::acme::Questions;
use crate::client::Client;
use crate::judge::{Image, Judge};
use crate::node::Node;

/// Of each kind: those that ask for what is signed, and those that ask for the rest, which may wait for a refresh.
const CLIENTS: u64 = 2;
const PAUSE: Duration = Duration::from_millis(3);

/// Clients at work until this is dropped, each on a connection of its own.
#[derive(Debug)]
pub struct Load(JoinSet<()>);

type Choose = fn(&Questions, &mut fastrand::Rng) -> Option<Arc<Image>>;

impl Load {
    /// Begins to ask, also while the daemon is down.
    #[must_use]
    pub fn start(node: &Node, judge: &Arc<Judge>, questions: &Arc<Questions>, seed: u64) -> Self {
        let mut tasks = JoinSet::new();
        for number in 0..CLIENTS {
            for choose in [Questions::signed as Choose, Questions::unsigned] {
                let random = fastrand::Rng::with_seed(seed.wrapping_add(number));
                let (judge, questions) = (Arc::clone(judge), Arc::clone(questions));
                tasks.spawn(ask_on(node.client(), judge, questions, choose, random));
            }
        }
        Self(tasks)
    }

    /// Stops asking.
    pub async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

async fn ask_on(
    mut client: Client,
    judge: Arc<Judge>,
    questions: Arc<Questions>,
    choose: Choose,
    mut random: fastrand::Rng,
) {
    loop {
        if let Some(image) = choose(&questions, &mut random) {
            judge.ask(&mut client, &image).await;
        }
        sleep(PAUSE).await;
    }
}
