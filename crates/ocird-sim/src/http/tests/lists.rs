//! Lists: pages to the end, filters, orders, and what is refused.

use super::*;
use crate::ListingShape;
use crate::view::AuthTokenView;

/// Every value of one field over all pages, and the number of pages.
async fn everything(world: &World, session: &Session, target: &str, field: &str) -> (Vec<String>, usize) {
    let (mut values, mut n_pages, mut page) = (Vec::new(), 0, String::new());
    loop {
        let answer = world.ask(session, "GET", &format!("{target}{page}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        values.extend(answer.column(field).into_iter().map(str::to_owned));
        n_pages += 1;
        page = answer.next_page();
        if page.is_empty() {
            return (values, n_pages);
        }
    }
}

fn repositories(world: &World, parameters: &str) -> String {
    format!("/20160918/container/repositories?compartmentId={}{parameters}", world.tenancy.compartment())
}

#[tokio::test]
async fn an_empty_repository_is_one_page_without_rows() {
    let world = World::new();
    let session = world.sign_in().await;
    let answer = world.ask(&session, "GET", &world.list("")).await;
    assert_eq!((answer.status, answer.header("opc-next-page")), (200, ""));
    assert_eq!(answer.body, serde_json::json!({ "items": [], "remainingItemsCount": 0 }));
}

#[tokio::test]
async fn pages_lead_to_the_end_and_hold_every_row_once() {
    let world = World::new();
    for number in 0..10 {
        world.push(&format!("r{number}"), &[&format!("v{number}")]);
    }
    let session = world.sign_in().await;
    let (mut tags, n_pages) = everything(&world, &session, &world.list("&limit=4"), "version").await;
    tags.sort_unstable();
    let expected: Vec<String> = (0..10).map(|number| format!("v{number}")).collect();
    assert_eq!((tags, n_pages), (expected, 3));
}

#[tokio::test]
async fn the_server_may_hand_out_smaller_pages_than_asked_for() {
    let options = Options { max_page_size: Some(2), ..Options::default() };
    let world = World::with(Settings::default(), options);
    for number in 0..5 {
        world.push(&format!("r{number}"), &[]);
    }
    let session = world.sign_in().await;
    let (digests, n_pages) = everything(&world, &session, &world.list("&limit=1000"), "digest").await;
    assert_eq!((digests.len(), n_pages), (5, 3));
}

#[tokio::test]
async fn a_row_is_a_tag_or_an_image_as_the_tenancy_likes() {
    let world = World::new();
    world.push("r1", &["a", "b"]);
    let session = world.sign_in().await;
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.column("version").len(), 2);
    world.tenancy.configure(|settings| settings.shape = ListingShape::PerImage);
    assert_eq!(world.ask(&session, "GET", &world.list("")).await.column("version").len(), 1);
}

#[tokio::test]
async fn filters_pick_the_rows_they_name() {
    let world = World::new();
    world.push("r1", &["v1.0"]);
    world.push("r2", &["v1.1"]);
    world.push("r3", &["v2.0"]);
    world.push("r4", &[]);
    let session = world.sign_in().await;
    let all = world.ask(&session, "GET", &world.list("&version=v2.0")).await;
    let digest = all.column("digest")[0].to_owned();
    let id = all.column("repositoryId")[0].to_owned();
    for (parameters, n_rows) in [
        ("&version=v1*".to_owned(), 2),
        ("&isVersioned=true".to_owned(), 3),
        ("&isVersioned=false".to_owned(), 1),
        (format!("&imageDigest={}", digest.replace(':', "%3A")), 1),
        (format!("&repositoryId={id}"), 4),
        ("&repositoryName=team%2Fmgh*".to_owned(), 4),
        ("&repositoryName=mgh*".to_owned(), 0),
        ("&displayName=team%2Fmgh-website%3Av1.1".to_owned(), 1),
        ("&lifecycleState=DELETED".to_owned(), 0),
    ] {
        let answer = world.ask(&session, "GET", &world.list(&parameters)).await;
        assert_eq!(answer.column("id").len(), n_rows, "{parameters}");
    }
}

#[tokio::test]
async fn a_list_of_repositories_has_totals_and_names_in_order() {
    let world = World::new();
    for name in ["b", "a"] {
        let new = NewRepository::private(name.parse().unwrap(), world.tenancy.compartment());
        world.tenancy.create_repository(new).unwrap();
    }
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let target = repositories(&world, "&sortBy=DISPLAYNAME&limit=2");
    let (names, n_pages) = everything(&world, &session, &target, "displayName").await;
    assert_eq!((names, n_pages), (vec!["a".to_owned(), "b".to_owned(), "team/mgh-website".to_owned()], 2));
    let one = world.ask(&session, "GET", &repositories(&world, "&displayName=team%2Fmgh-website")).await;
    assert_eq!((one.body["imageCount"].as_u64(), one.body["repositoryCount"].as_u64()), (Some(1), Some(1)));
    let public = world.ask(&session, "GET", &repositories(&world, "&isPublic=true")).await;
    assert_eq!(public.column("id").len(), 0);
}

#[tokio::test]
async fn a_repository_shows_alone_what_its_row_leaves_out() {
    let world = World::new();
    world.push("r1", &["v1"]);
    let session = world.sign_in().await;
    let row = world.ask(&session, "GET", &repositories(&world, "")).await.body["items"][0].clone();
    let id = row["id"].as_str().unwrap();
    let whole = world.ask(&session, "GET", &format!("/20160918/container/repositories/{id}")).await;
    for field in ["createdBy", "isImmutable", "timeLastPushed"] {
        assert!(row.get(field).is_none() && whole.body.get(field).is_some(), "{field}");
    }
    for (field, value) in row.as_object().unwrap() {
        assert_eq!(&whole.body[field], value, "{field}");
    }
    assert_ne!(whole.header("etag"), "");
}

#[tokio::test]
async fn a_missing_compartment_a_foreign_one_and_a_subtree_below_the_root_are_refused() {
    let world = World::new();
    let session = world.sign_in().await;
    let root = world.tenancy.settings().tenancy;
    let list = "/20160918/container/images";
    let foreign = format!("{list}?compartmentId=ocid1.compartment.oc1..foreign");
    let subtree = world.list("&compartmentIdInSubtree=true");
    for (target, refusal) in [
        (list.to_owned(), (400, "MissingParameter")),
        (foreign, (404, "NotAuthorizedOrNotFound")),
        (subtree, (400, "InvalidParameter")),
    ] {
        assert_eq!(world.ask(&session, "GET", &target).await.refusal(), refusal, "{target}");
    }
    world.push("r1", &["v1"]);
    let whole = format!("{list}?compartmentId={root}&compartmentIdInSubtree=true");
    assert_eq!(world.ask(&session, "GET", &whole).await.column("version"), ["v1"]);
}

#[tokio::test]
async fn a_page_token_whose_plus_is_sent_back_as_it_came_is_another_one() {
    let world = World::with(Settings { page_size: 1, ..Settings::default() }, Options::default());
    world.push("r1", &["v1", "v2"]);
    let session = world.sign_in().await;
    let first = world.ask(&session, "GET", &world.list("")).await;
    let as_it_came = first.next_page().replace("%2B", "+");
    assert_ne!(as_it_came, first.next_page());
    let refused = world.ask(&session, "GET", &world.list(&as_it_came)).await;
    assert_eq!(refused.refusal(), (400, "InvalidParameter"));
    assert_eq!(world.ask(&session, "GET", &world.list(&first.next_page())).await.status, 200);
}

#[tokio::test]
async fn auth_tokens_can_be_set_with_their_end_and_their_state() {
    let world = World::new();
    let session = world.sign_in().await;
    let token = AuthTokenView {
        expires_at: Some(world.tenancy.now() + TimeDelta::days(90)),
        lifecycle_state: "INACTIVE".to_owned(),
        ..world.tenancy.add_auth_token("ocid1.user.oc1..u", "pull")
    };
    world.tenancy.set_auth_tokens("ocid1.user.oc1..u", vec![token]);
    world.tenancy.set_auth_tokens("ocid1.user.oc1..none", Vec::new());
    let list = async |user: &str| {
        world.ask(&session, "GET", &format!("/20160918/users/{user}/authTokens")).await.body
    };
    let tokens = list("ocid1.user.oc1..u").await;
    assert_eq!(tokens[0]["timeExpires"], "2026-04-01T00:00:00.000Z");
    assert_eq!((tokens.as_array().unwrap().len(), &tokens[0]["lifecycleState"]), (1, &"INACTIVE".into()));
    assert_eq!(list("ocid1.user.oc1..none").await, serde_json::json!([]));
}

#[tokio::test]
async fn made_up_page_tokens_and_impossible_values_are_invalid_parameters() {
    let world = World::new();
    let session = world.sign_in().await;
    for parameters in ["&page=made-up", "&limit=0", "&limit=many", "&sortBy=SIZE", "&lifecycleState=GONE"] {
        let answer = world.ask(&session, "GET", &world.list(parameters)).await;
        assert_eq!(answer.refusal(), (400, "InvalidParameter"), "{parameters}");
    }
}

#[tokio::test]
async fn image_signatures_and_the_configuration_are_there() {
    let world = World::new();
    let image = world.push("r1", &["v1"]);
    world.tenancy.sign_image(&image, "ocid1.user.oc1..u").unwrap();
    let session = world.sign_in().await;
    let compartment = world.tenancy.compartment();
    let signatures =
        format!("/20160918/container/imageSignatures?compartmentId={compartment}&imageId={image}");
    let answer = world.ask(&session, "GET", &signatures).await;
    assert_eq!(answer.column("imageId"), [image.as_str()]);
    assert_eq!(answer.column("lifecycleState"), ["AVAILABLE"]);
    let other = format!("{signatures}&repositoryName=another");
    assert!(world.ask(&session, "GET", &other).await.column("id").is_empty());
    let root = world.tenancy.settings().tenancy;
    let configuration = format!("/20160918/container/configuration?compartmentId={root}");
    let answer = world.ask(&session, "GET", &configuration).await;
    assert_eq!(answer.body["namespace"], world.tenancy.settings().namespace.as_str());
}

#[tokio::test]
async fn auth_tokens_are_listed_by_user_and_without_the_token() {
    let world = World::new();
    world.tenancy.add_auth_token("ocid1.user.oc1..u", "pull");
    let session = world.sign_in().await;
    let tokens = world.ask(&session, "GET", "/20160918/users/ocid1.user.oc1..u/authTokens").await;
    assert_eq!((&tokens.body[0]["description"], tokens.body[0].get("token")), (&"pull".into(), None));
    let nobody = world.ask(&session, "GET", "/20160918/users/ocid1.user.oc1..x/authTokens").await;
    assert_eq!(nobody.refusal(), (404, "NotAuthorizedOrNotFound"));
}
