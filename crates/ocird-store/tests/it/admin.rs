//! The record of commands: the question first, one end, and nothing that can be taken back.

use ocird_store::{Command, CommandResultKind, Glance, Operator, RecordedCommand};

use crate::world::{World, at};

fn pause(uid: u32, name: Option<&str>) -> Command {
    Command {
        by: Operator { uid, name: name.map(str::to_owned) },
        word: "pause".to_owned(),
        detail: "we are deploying".to_owned(),
    }
}

async fn on_record(world: &World) -> Vec<RecordedCommand> {
    Glance::open(world.dir.path()).await.unwrap().unwrap().recent_commands(10).await.unwrap()
}

#[tokio::test]
async fn a_command_is_on_record_before_and_after_it_is_done() {
    let world = World::new().await;
    assert_eq!(on_record(&world).await, []);
    let (first, second) = (pause(0, Some("root")), pause(1000, None));
    let id = world.store.record_command(&first, at(1)).await.unwrap();
    world.store.record_command(&second, at(2)).await.unwrap();
    world.store.record_command_result(id, CommandResultKind::Done, "paused", at(3)).await.unwrap();
    let world = world.reopened().await;
    let expected = [
        RecordedCommand { at: at(2), command: second, ended: None, result: String::new() },
        RecordedCommand {
            at: at(1),
            command: first,
            ended: Some((at(3), CommandResultKind::Done)),
            result: "paused".to_owned(),
        },
    ];
    assert_eq!(on_record(&world).await, expected);
}

#[tokio::test]
async fn a_command_ends_once() {
    let world = World::new().await;
    let id = world.store.record_command(&pause(0, None), at(1)).await.unwrap();
    world.store.record_command_result(id, CommandResultKind::Failed, "no", at(2)).await.unwrap();
    let again = world.store.record_command_result(id, CommandResultKind::Done, "yes", at(3)).await;
    assert_eq!(again.unwrap_err().kind(), "constraint");
    assert_eq!(on_record(&world).await[0].result, "no");
}

#[tokio::test]
async fn nothing_takes_a_command_back_whatever_writes_to_the_file() {
    let world = World::new().await;
    let id = world.store.record_command(&pause(0, None), at(1)).await.unwrap();
    world.store.record_command_result(id, CommandResultKind::Done, "yes", at(2)).await.unwrap();
    for sql in [
        "DELETE FROM command_results",
        "UPDATE command_results SET kind = 'refused'",
        "INSERT OR REPLACE INTO command_results VALUES (1, 1, 'refused', '')",
        "DELETE FROM commands",
        "UPDATE commands SET uid = 7",
        "INSERT OR REPLACE INTO commands VALUES (1, 1, 7, 'x', 'pause', '')",
    ] {
        let refused = sqlx::query(sql).execute(&mut world.raw().await).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{sql}: {refused}");
    }
    assert_eq!(on_record(&world).await.len(), 1);
}

#[test]
fn an_operator_is_told_by_name_and_number() {
    assert_eq!(pause(1000, Some("alice")).by.to_string(), "alice (uid 1000)");
    assert_eq!(pause(1000, None).by.to_string(), "uid 1000");
}
