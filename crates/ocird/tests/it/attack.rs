//! What strangers can do to the real binary from outside: hold its pages open, storm them, call it by other names, and write
//! hostile texts into everything that it reads. None of it may reach a pass, a terminal or a program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ocird_model::is_inert;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::process::until;
use crate::world::{EACH_MINUTE, POLICY, Setting, World};

/// Slow clients at the same time.
const N_SLOW: usize = 200;

/// Clients that ask again as soon as they are answered.
const N_STORM: usize = 8;

/// What an adversary would write where a name or a reason is wanted.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nocird_forged 1\u{9b}31m\u{202e}<script>=cmd|' /C calc'!A0\u{0}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_and_a_storm_do_no_harm_to_an_acting_pass() {
    let world =
        World::with_due_images(Setting { armed: true, enforce: EACH_MINUTE, ..Setting::default() }).await;
    world.trust_the_store().await;
    let daemon = world.start();
    daemon.ready().await;
    let siege = Siege::lay(world.listen());

    let acted = |status: &serde_json::Value| status["last_pass"]["n_deleted"].as_u64() > Some(0);
    let status = daemon.status_where("an acting pass", acted).await;
    assert_eq!(status["last_pass"]["result"]["result"], "complete", "{status}");
    until("a hundred scrapes", async || (siege.n_answered() > 100).then_some(())).await;
    let metrics = daemon.page("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("ocird_http_requests_total{code=\"200\",path=\"/metrics\"}"), "{metrics}");
    let n_other = siege.lift().await;
    assert_eq!(n_other, 0, "a scrape was not answered with 200");
    world.check_deletions(&world.journal().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_others_could_reach_does_not_start_unless_that_is_said() {
    let world = World::new(Setting::default()).await;
    let config = std::fs::read_to_string(world.config_file()).unwrap();
    let listen = format!("listen = \"{}\"", world.listen());
    let open = config.replace(&listen, &format!("listen = \"0.0.0.0:{}\"", world.listen().port()));
    assert_ne!(open, config);
    std::fs::write(world.config_file(), open).unwrap();
    let refused = world.ocird(&["run"]).await;
    assert_eq!(refused.code, Some(78), "{}", refused.stderr);
    assert!(refused.stderr.contains("allow_remote"), "{}", refused.stderr);
    assert_eq!(world.tap.heard(), "", "it asked the cloud all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_was_led_astray_reads_nothing() {
    let world = World::new(Setting::default()).await;
    let daemon = world.start();
    daemon.ready().await;
    for host in ["rebound.example", "localhost.rebound.example", "169.254.169.254"] {
        let answer = ask(world.listen(), host, "/api/v1/status").await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("web-shop"), "{host}: {answer}");
    }
    let own = ask(world.listen(), "localhost", "/api/v1/status").await;
    assert!(own.starts_with("HTTP/1.1 200 ") && own.contains("web-shop"), "{own}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_and_no_page_lets_a_hostile_text_through() {
    for log in ["format = \"text\"\nfilter = \"trace\"\n", "format = \"json\"\nfilter = \"trace\"\n"] {
        let world = World::new(Setting { log, ..Setting::default() }).await;
        write_hostile_files(&world);
        let commands: [&[&str]; 12] = [
            &["check", "--registry"],
            &["check", "--registry", "--json"],
            &["plan", "--images"],
            &["plan", "--json"],
            &["explain", "web-shop:b0"],
            &["explain", "web-shop:b0", "--json"],
            &["explain", HOSTILE.trim_end_matches('\0')],
            &["plan", "--repository", "no-such-\u{1b}[2J"],
            &["doctor"],
            &["doctor", "--json"],
            &["run", "--once"],
            &["findings", "--json"],
        ];
        for arguments in commands {
            let ended = world.ocird(arguments).await;
            assert!(!ended.stdout.is_empty() || !ended.stderr.is_empty(), "{arguments:?} says nothing");
            check_inert(&format!("{arguments:?}"), &ended.stdout);
            check_inert(&format!("{arguments:?}, standard error"), &ended.stderr);
        }
        check_the_pages(&world).await;
        world.write_policy(&POLICY.replace("channels", "chan\u{9b}31m\u{202e}nels\\u001B[2J"));
        check_inert("a bad policy", &world.ocird(&["check"]).await.stderr);
    }
}

async fn check_the_pages(world: &World) {
    let daemon = world.start();
    daemon.ready().await;
    for page in ["/", "/status", "/healthz", "/healthz?verbose", "/metrics", "/api/v1/status", "/version"] {
        let text = daemon.page(page).await.unwrap().text().await.unwrap();
        check_inert(page, &text);
        assert!(text.is_ascii(), "{page}");
        assert!(!text.contains("\nocird_forged"), "{page}: a line was forged");
    }
    check_inert("the log", &daemon.log());
}

fn check_inert(what: &str, text: &str) {
    let harm = text.chars().find(|c| !is_inert(*c) && *c != '\n');
    assert_eq!(harm, None, "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("ocird_forged")), "{what}: a line was forged");
}

/// What a host says runs, with every name in it hostile; once so that it is believed, once with an image that is none, once not
/// even whole.
fn write_hostile_files(world: &World) {
    let honest = std::fs::read(world.path("in-use/milan-1.json")).unwrap();
    let mut file: serde_json::Value = serde_json::from_slice(&honest).unwrap();
    file["host"] = HOSTILE.into();
    let references = file["references"].as_array_mut().unwrap();
    for reference in references.iter_mut() {
        reference["by"] = HOSTILE.into();
    }
    std::fs::write(world.path("in-use/evil\u{1b}[31m\n\u{202e}.json"), file.to_string()).unwrap();
    file["references"][0]["image"] = HOSTILE.into();
    std::fs::write(world.path("in-use/evil-image.json"), file.to_string()).unwrap();
    std::fs::write(world.path("in-use/evil-too.json"), format!("{{\"host\": \"{HOSTILE}")).unwrap();
}

/// What the pages answer to a request under this name.
async fn ask(address: SocketAddr, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Slow clients and a storm of scrapes, until it is lifted.
struct Siege {
    clients: JoinSet<()>,
    is_over: Arc<AtomicBool>,
    n_answered: Arc<AtomicU64>,
    n_other: Arc<AtomicU64>,
}

impl Siege {
    fn lay(address: SocketAddr) -> Self {
        let mut siege = Self {
            clients: JoinSet::new(),
            is_over: Arc::default(),
            n_answered: Arc::default(),
            n_other: Arc::default(),
        };
        for number in 0..N_SLOW {
            siege.clients.spawn(dawdle(address, number, Arc::clone(&siege.is_over)));
        }
        for _ in 0..N_STORM {
            let (n_answered, n_other) = (Arc::clone(&siege.n_answered), Arc::clone(&siege.n_other));
            siege.clients.spawn(scrape(address, Arc::clone(&siege.is_over), n_answered, n_other));
        }
        siege
    }

    fn n_answered(&self) -> u64 {
        self.n_answered.load(Ordering::Relaxed)
    }

    /// Ends it, and answers how many scrapes had another answer than 200.
    async fn lift(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        let mut clients = self.clients;
        clients.abort_all();
        while clients.join_next().await.is_some() {}
        self.n_other.load(Ordering::Relaxed)
    }
}

/// A client that is silent, stops in the middle of its request, or does not read the answer; cut off, it comes again.
async fn dawdle(address: SocketAddr, number: usize, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let said: &[u8] = match number % 3 {
            0 => b"",
            1 => b"GET /metrics HTTP/1.1\r\nHost: local",
            _ => b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        };
        if stream.write_all(said).await.is_ok() && number % 3 < 2 {
            stream.read_to_end(&mut Vec::new()).await.ok();
        } else {
            // It looks whether there is an answer, and does not take it.
            stream.readable().await.ok();
            tokio::task::yield_now().await;
        }
    }
}

async fn scrape(
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    n_answered: Arc<AtomicU64>,
    n_other: Arc<AtomicU64>,
) {
    while !is_over.load(Ordering::Relaxed) {
        if ask(address, "localhost", "/metrics").await.starts_with("HTTP/1.1 200 ") {
            n_answered.fetch_add(1, Ordering::Relaxed);
        } else {
            n_other.fetch_add(1, Ordering::Relaxed);
        }
    }
}
