//! What the probes answer, and when they stop being content.

use super::*;

#[tokio::test]
async fn livez_fails_when_the_scheduler_stops_beating() {
    let server = Server::start(report_mode()).await;
    assert_eq!(server.get("/livez").await.body, "ok\n");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    let answer = server.get("/livez").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "unavailable"));
    assert_eq!(server.get("/healthz").await.json()["status"], "fail");
    server.app.heartbeat.beat();
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn readyz_waits_for_the_first_pass_or_the_reason_why_there_is_none() {
    let server = Server::start(fresh_start()).await;
    let early = server.get("/readyz").await;
    assert_eq!((early.status, early.problem().as_str()), (503, "unavailable"));
    assert_eq!(early.json()["detail"], "the first pass has not ended yet");
    server.app.board.update(|status| {
        status.checks.sign_in = Check::Failed { text: "no metadata service".to_owned() };
    });
    assert_eq!(server.get("/readyz").await.status, 200);
    server.app.board.update(|status| *status = report_mode());
    assert_eq!(server.get("/readyz").await.body, "ok\n");
    server.app.stopping.cancel();
    assert_eq!(server.get("/readyz").await.json()["detail"], "it is stopping");
}

#[tokio::test]
async fn healthz_warns_with_200_unless_asked_to_be_strict() {
    let server = Server::start(report_mode()).await;
    let well = server.get("/healthz?strict").await;
    assert_eq!((well.status, &well.json()["status"]), (200, &"pass".into()));
    server.app.board.update(|status| *status = armed_with_failures());
    let answer = server.get("/healthz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"warn".into()));
    assert_eq!(answer.json()["checks"]["registry"]["state"], "failed");
    assert_eq!(answer.json()["last_pass"]["result"]["result"], "partial");
    let strict = server.get("/healthz?strict").await;
    assert_eq!((strict.status, strict.json()), (503, answer.json()));
}

#[tokio::test]
async fn healthz_warns_of_stale_passes() {
    let server = Server::start(report_mode()).await;
    server.app.board.update(|status| status.last_complete_at = Some(now() - TimeDelta::hours(3)));
    assert_eq!(server.get("/healthz").await.json()["status"], "pass", "by the schedule none was due yet");
    server.app.board.update(|status| status.bounds.complete_by = Some(now() - TimeDelta::minutes(1)));
    let answer = server.get("/healthz").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"warn".into()));
    let text = answer.json()["checks"]["passes"]["text"].to_string();
    assert!(text.contains("3h ago"), "{text}");
    server.app.board.update(|status| {
        status.last_complete_at = None;
        status.started_at = now() - TimeDelta::minutes(1);
        status.bounds.complete_by = Some(now());
    });
    assert_eq!(server.get("/healthz").await.json()["status"], "pass");
}

#[tokio::test]
async fn healthz_verbose_is_one_line_for_each_check() {
    let server = Server::start(armed_with_failures()).await;
    let answer = server.get("/healthz?verbose").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    insta::assert_snapshot!(answer.body, @"
    [+]clock ok
    [-]deletion failed: paused: somebody paused it
    [-]in_use failed: 1 of 1 sources is too old: is ocird-collect.timer running on milan-1?
    [+]passes ok
    [+]policies ok
    [-]registry failed: 1 of 4 repositories could not be read; see the log for its error
    [+]scheduler ok
    [+]sign_in ok
    [+]store ok
    healthz check passed with warnings
    ");
}
