//! The container engine of this host, asked directly. Its socket is as good as root: `ocird collect` under a timer of root's
//! own keeps it from the daemon and is the better way; this one is for whoever runs ocird as root anyway.

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ocird_model::ErrorChain;

use crate::config::{DockerSource, Scope};
use crate::in_use::engine;
use crate::in_use::source::{Answer, Report, Source};

/// One `[[in_use.docker]]`.
#[derive(Debug)]
pub(super) struct Docker(DockerSource);

impl Docker {
    pub(super) const fn new(source: DockerSource) -> Self {
        Self(source)
    }
}

impl Source for Docker {
    fn scope(&self) -> &Scope {
        &self.0.scope
    }

    fn name(&self) -> String {
        format!("docker {}", self.0.socket.display())
    }

    fn ask(&self, now: DateTime<Utc>) -> BoxFuture<'_, Vec<Report>> {
        let ask = async move {
            let mentions = engine::mentions(&self.0.socket).await;
            let answer = mentions
                .map(|mentions| Answer { looked_at: now, is_complete: true, mentions })
                .map_err(|error| ErrorChain(&error).to_string());
            vec![Report { name: self.name(), host: None, answer }]
        };
        ask.boxed()
    }
}
