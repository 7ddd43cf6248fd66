//! What a slow, deaf or numerous client gets, and what the others get meanwhile. The limits are set so that each test
//! waits for an effect and never for a time.

use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn a_client_that_never_ends_its_request_is_cut() {
    let limits = Limits { head: BRIEF, ..patient() };
    let server = Server::start_within(limits, report_mode()).await;
    let slow = server.connect_slow().await;
    assert_eq!(last_words(slow).await, "");
}

#[tokio::test]
async fn slow_clients_lose_their_seats_to_others() {
    let limits = Limits { seats: 4, patience: Duration::ZERO, ..patient() };
    let server = Server::start_within(limits, report_mode()).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        slow.push(server.connect_slow().await);
    }
    assert_eq!(server.get("/metrics").await.status, 200);
    assert_eq!(last_words(slow.swap_remove(0)).await, "", "the longest silent is out");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_those_who_have_asked_nothing() {
    let server = Server::start(report_mode()).await;
    let slow = server.connect_slow().await;
    // The answer shows that the server has accepted the connection before it, too.
    assert_eq!(server.get("/livez").await.status, 200);
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
    assert_eq!(last_words(slow).await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_gives_its_seat_back() {
    let mut status = report_mode();
    status.checks.clock = Check::Failed { text: "x".repeat(32 << 20) };
    let limits = Limits { seats: 1, head: BRIEF, answer: BRIEF, ..patient() };
    let server = Server::start_within(limits, status).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(server.get("/livez").await.status, 200, "it is answered once the only seat is free");
    assert!(last_words(deaf).await.len() < 32 << 20, "the answer was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_parallel_scrapes_are_all_answered() {
    let server = Arc::new(Server::start(report_mode()).await);
    let mut scrapes = JoinSet::new();
    for _ in 0..100 {
        let server = Arc::clone(&server);
        scrapes.spawn(async move { server.get("/metrics").await.status });
    }
    assert_eq!(scrapes.join_all().await, [200; 100]);
}

#[tokio::test]
async fn a_page_that_panics_or_dawdles_is_a_problem() {
    async fn panics() -> String {
        panic!("on purpose")
    }
    let pages =
        Router::new().route("/panics", get(panics)).route("/dawdles", get(std::future::pending::<String>));
    let server = Server::start_pages(Limits { making: BRIEF, ..patient() }, pages).await;
    let panicked = server.get("/panics").await;
    assert_eq!((panicked.status, panicked.problem().as_str()), (500, "internal"));
    let dawdled = server.get("/dawdles").await;
    assert_eq!((dawdled.status, dawdled.problem().as_str()), (503, "overtime"));
}

#[tokio::test]
async fn a_stop_lets_the_request_under_way_end_and_takes_no_other() {
    let (begun, go_on) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let page = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            "done\n"
        }
    };
    let server = Server::start_pages(patient(), Router::new().route("/long", get(page))).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    begun.notified().await;
    server.shutdown.cancel();
    go_on.notify_one();
    assert_eq!(Answer::read(client).await.body, "done\n");
    server.task.await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
