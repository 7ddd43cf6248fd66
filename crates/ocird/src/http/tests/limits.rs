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

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_its_seat_to_another() {
    let mut status = report_mode();
    status.checks.clock = Check::Failed { text: "x".repeat(32 << 20) };
    let limits = Limits { seats: 1, patience: Duration::ZERO, reading: Duration::ZERO, ..patient() };
    let server = Server::start_within(limits, status).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // Its first words show that the answer is under way.
    deaf.read_exact(&mut [0; 12]).await.unwrap();
    assert_eq!(server.get("/livez").await.status, 200);
    assert!(last_words(deaf).await.len() < 32 << 20, "the answer was cut");
}

#[tokio::test]
async fn nobody_loses_a_seat_that_nobody_wants() {
    let limits = Limits { seats: 1, patience: Duration::ZERO, reading: Duration::ZERO, ..patient() };
    let server = Server::start_within(limits, report_mode()).await;
    let mut slow = server.connect_slow().await;
    slow.write_all(b"host\r\n").await.unwrap();
    tokio::task::yield_now().await;
    slow.write_all(b"\r\n").await.unwrap();
    assert!(last_words(slow).await.starts_with("HTTP/1.1 200 OK"));
}

/// The usual limits hold 200 clients that take their time and whoever asks beside them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_slow_clients_keep_nobody_out() {
    let limits = Limits { head: EVER, answer: EVER, ..Limits::default() };
    let server = Server::start_within(limits, report_mode()).await;
    let mut slow = Vec::new();
    for n in 0..200 {
        slow.push(if n % 2 == 0 { server.connect().await } else { server.connect_slow().await });
    }
    for _ in 0..20 {
        assert_eq!(server.get("/metrics").await.status, 200);
    }
    // Each is still there, and is answered once it ends its request.
    let mut last = slow.swap_remove(199);
    last.write_all(b"host\r\n\r\n").await.unwrap();
    assert!(last_words(last).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_server_that_nobody_waits_for_any_more_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(listener, app(report_mode()), CancellationToken::new()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = client.get(format!("http://{address}/livez")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    serving.abort();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_pages_answer_while_the_thread_of_the_passes_is_busy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, app(report_mode()), shutdown.clone()));
    tokio::task::yield_now().await;
    // A pass that computes holds this test's only thread; a client that blocks it is the same.
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
    assert!(said.ends_with("ok\n"), "{said}");
    shutdown.cancel();
    serving.await.unwrap().unwrap();
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
