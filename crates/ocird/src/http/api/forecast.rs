//! How usage grows, when the lines of the configuration are reached, what the present plan would free, and what deletions
//! have saved so far.

use axum::extract::State;
use axum::response::Response;
use ocird_model::{Bytes, RepositoryName};

use super::asked::Asked;
use super::{Api, unread};
use crate::http::problem::Problem;
use crate::outlook::{Aim, outlook};

/// The forecast of everything that is watched, or of one repository.
pub(super) async fn forecast(State(api): State<Api>, asked: Asked) -> Result<Response, Problem> {
    let repository = asked.repository()?;
    let seat = api.desk.sit().await;
    let past = api.past()?;
    let plan_frees = plan_frees(&api, repository.as_ref());
    let bounds = api.app.board.read().bounds.clone();
    let aim = Aim {
        repository,
        lines: [bounds.warn_at, bounds.budget].into_iter().flatten().collect(),
        plan_frees,
        price: api.app.price.as_ref(),
        now: api.this_minute(),
    };
    let outlook = outlook(&past, aim).await.map_err(|error| unread(&error))?;
    Ok(asked.one(seat, &outlook).await)
}

/// What the present plan would free; `None` before there is one, of what it does not know, and where a layer is not known.
fn plan_frees(api: &Api, of: Option<&RepositoryName>) -> Option<Bytes> {
    let status = api.app.board.read();
    status.last_pass.as_ref()?;
    match of {
        Some(name) => status.repositories.get(name)?.freeable,
        None => status.repositories.values().map(|repository| repository.freeable).sum(),
    }
}
