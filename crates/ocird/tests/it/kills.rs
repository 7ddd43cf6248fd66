//! SIGKILL, again and again, while the binary deletes. At every point each DELETE that went over the wire has its
//! committed intent, nothing needed is gone, and the next start settles what was left open by reading.
//!
//! `OCIRD_KILLS=2000 cargo test -p ocird --test it kills` is the long form.

use std::time::Duration;

use ocird::clock::SystemClock;
use ocird::{cloud, config};
use ocird_model::{DeleteTarget, OutcomeKind, ReadRegistry as _, WriteRegistry as _};

use crate::process::{Daemon, tell, until};
use crate::tap::Deletions;
use crate::world::{Entry, Setting, World};

/// Kills of the short form.
const SHORT_FORM: usize = 30;

/// Kills in one world, before its images run out.
const KILLS_PER_WORLD: usize = 30;

/// Kills by time fall evenly into this span of a process's life, which reaches well into its deletions.
const SPAN: Duration = Duration::from_millis(1500);

/// How long the answers to deletions take, by turns. The longer, the more of an acting step is spent not knowing what
/// came of a deletion; without a delay a kill lands in any other step as well.
const ANSWERS: [Duration; 3] = [Duration::from_millis(30), Duration::ZERO, Duration::from_millis(60)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_each_deletion_has_its_intent_and_the_next_start_settles_it() {
    let (mut n_killed, mut n_left_open) = (0, 0);
    let n_kills = number("OCIRD_KILLS", SHORT_FORM);
    while n_killed < n_kills {
        let world = World::with_due_images(Setting { n_images: 160, ..armed() }).await;
        world.trust_the_store().await;
        for _ in 0..KILLS_PER_WORLD.min(n_kills - n_killed) {
            kill_once(&world, n_killed).await;
            n_killed += 1;
            let journal = world.journal().await;
            world.check_deletions(&journal);
            n_left_open += usize::from(n_open(&journal) > 0);
            if n_never_left(&world, &journal) > 0 {
                // It stops every deletion of this world for a quarter of an hour.
                break;
            }
        }
        settle(world).await;
        tell(&format!("kills: {n_killed} of {n_kills}, {n_left_open} left an intent open"));
    }
    tell(&format!("kills: {n_killed}, of which {n_left_open} left an intent open, all settled by reading"));
    assert!(n_left_open * 4 >= n_kills, "only {n_left_open} of {n_kills} kills landed in a deletion");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_that_never_left_is_not_repeated_but_read_and_found_not_done() {
    let mut world = World::with_due_images(armed()).await;
    world.tap.set_deletions(Deletions::HeldBack);
    let killed = world.start_as(world.command(&["run", "--once"]));
    until("a deletion", async || world.tap.asked().first().cloned()).await;
    killed.kill().await;
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::ZERO));

    let next = world.ocird(&["run", "--once"]).await;
    assert!(next.stdout.contains("nothing goes because of open_intent"), "{}", next.stdout);
    assert_eq!((world.tap.asked().len(), world.tenancy.deletions().len()), (1, 0));
    assert_eq!(n_open(&world.journal().await), 1);

    world.pass_in_process(&[16]).await;
    let outcomes: Vec<_> = world.journal().await.into_iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Some(OutcomeKind::NotDone)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "has no intent of its own")]
async fn a_deletion_without_an_intent_would_be_noticed() {
    let world = World::with_due_images(armed()).await;
    let config = config::load(&world.config_file()).unwrap();
    let oci = cloud::client(&config.oci, SystemClock::new()).unwrap();
    let compartment = world.tenancy.compartment();
    let repository = oci.repositories(&compartment).await.unwrap().remove(0).id;
    let row = oci.images(&compartment, &repository).await.unwrap().pop().unwrap();
    let details = oci.image(&row.id).await.unwrap();
    let target = DeleteTarget { image: row.id, digest: details.digest, repository };
    oci.writer().delete(&target, &details.etag.unwrap()).await.unwrap();
    assert_eq!(world.tenancy.deletions().len(), 1);
    world.check_deletions(&world.journal().await);
}

/// Starts an acting pass and kills it: by turns at a moment of its life, and as soon as the cloud has deleted one, two
/// or three images more, while the answer is on its way.
async fn kill_once(world: &World, kill: usize) {
    world.tap.set_deletions(Deletions::AnswerAfter(ANSWERS[kill % ANSWERS.len()]));
    let n_before = world.tenancy.deletions().len();
    let mut process = world.start_as(world.command(&["run", "--once"]));
    if kill.is_multiple_of(2) {
        let moment = SPAN.mul_f64((kill as f64 * 0.618_034).fract());
        // A moment is a time: there is no state to wait for.
        tokio::time::sleep(moment).await;
    } else {
        let enough = n_before + 1 + kill / 2 % 3;
        let is_enough = async |process: &mut Daemon| {
            (world.tenancy.deletions().len() >= enough || process.has_ended()).then_some(())
        };
        until("a deletion", async || is_enough(&mut process).await).await;
    }
    process.kill().await;
}

/// A clean start: settles by reading what is open, all but an intent whose deletion never left. That one is found not
/// done a quarter of an hour after it was written; they pass on the tenancy's clock.
pub(crate) async fn settle(mut world: World) {
    world.tap.set_deletions(Deletions::AnswerAfter(Duration::ZERO));
    let clean = world.ocird(&["run", "--once"]).await;
    assert_eq!(clean.code, Some(0), "{}", clean.stderr);
    assert!(!clean.stdout.contains("proof_failed"), "{}", clean.stdout);
    let journal = world.journal().await;
    world.check_deletions(&journal);
    assert_eq!(n_open(&journal), n_never_left(&world, &journal), "{journal:?}");
    if n_open(&journal) > 0 {
        world.pass_in_process(&[16]).await;
        assert_eq!(n_open(&world.journal().await), 0);
    }
}

fn armed() -> Setting {
    Setting { armed: true, ..Setting::default() }
}

fn n_open(journal: &[Entry]) -> usize {
    journal.iter().filter(|entry| entry.outcome.is_none()).count()
}

/// Open intents of images that are still there: their deletion has not reached the cloud.
fn n_never_left(world: &World, journal: &[Entry]) -> usize {
    let deletions = world.tenancy.deletions();
    let is_there = |entry: &&Entry| deletions.iter().all(|deletion| deletion.image != entry.image);
    journal.iter().filter(|entry| entry.outcome.is_none()).filter(is_there).count()
}

/// How often something is to be done: as the variable says, which asks for a long form, or in the short form.
#[expect(clippy::disallowed_methods, reason = "the long form is asked for by name")]
pub(crate) fn number(variable: &str, short_form: usize) -> usize {
    std::env::var(variable).map_or(short_form, |number| number.parse().expect("a number"))
}
