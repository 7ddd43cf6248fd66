//! Where the region comes from, and what is done about one that nobody knows.

use ocird_model::{ErrorChain, ErrorKind, ReadRegistry as _};
use ocird_oci::{Auth, Endpoint, Oci, Region, Settings};
use serde_json::{Value, json};

use crate::clock::TestClock;
use crate::cloud::{Cloud, OTHER_KEY, REGION, REGION_INFO, Reply};
use crate::profile::{Home, api_key_lines};

/// A region that is in no table.
fn atlantis() -> Value {
    json!({
        "realmKey": "oc99", "realmDomainComponent": "oraclecloud99.com",
        "regionKey": "ATL", "regionIdentifier": "eu-atlantis-1",
    })
}

/// Settings of a user in this region, with no endpoint set.
fn user_in(cloud: &Cloud, home: &Home, region: Option<&str>) -> Settings {
    let line = region.map_or(String::new(), |region| format!("region={region}\n"));
    let lines = api_key_lines(&OTHER_KEY).replace("region=LIN\n", &line);
    home.write("config", &format!("[DEFAULT]\n{lines}"));
    Settings {
        auth: Auth::Profile(home.read("DEFAULT").unwrap()),
        artifacts_endpoint: None,
        registry_endpoint: None,
        ..cloud.settings()
    }
}

async fn identifier(oci: &Oci<TestClock>) -> String {
    oci.region().await.unwrap().identifier().to_owned()
}

#[tokio::test]
async fn the_profile_names_the_region_unless_the_settings_do() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    for (profile, set, wanted) in [
        (Some("LIN"), None, "eu-milan-1"),
        (Some(" us-phoenix-1 "), None, "us-phoenix-1"),
        (Some("lin"), Some("Fra"), "eu-frankfurt-1"),
        (None, Some("iad"), "us-ashburn-1"),
    ] {
        let settings = Settings { region: set.map(str::to_owned), ..user_in(&cloud, &home, profile) };
        assert_eq!(identifier(&cloud.oci_with(settings)).await, wanted);
    }
    assert_eq!(cloud.n_seen(REGION_INFO), 0);
}

#[tokio::test]
async fn a_user_without_a_region_is_told_where_to_set_it() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    let error = cloud.oci_with(user_in(&cloud, &home, None)).region().await.unwrap_err();
    let told = ErrorChain(&error).to_string();
    assert!(told.contains("set `region`"), "{told}");
    assert_eq!(cloud.n_seen(REGION_INFO), 0);
}

#[tokio::test]
async fn an_unknown_region_is_found_in_the_operators_description() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    let described = Region::from_metadata(&atlantis().to_string()).unwrap();
    for name in ["eu-atlantis-1", "ATL"] {
        let settings = user_in(&cloud, &home, Some(name));
        let error = cloud.oci_with(settings.clone()).region().await.unwrap_err();
        let told = ErrorChain(&error).to_string();
        assert!(told.contains(name) && told.contains("OCI_REGION_METADATA"), "{told}");
        let settings = Settings { region_metadata: vec![described.clone()], ..settings };
        let region = cloud.oci_with(settings).region().await.unwrap();
        assert_eq!(region.artifacts_url(), "https://artifacts.eu-atlantis-1.oci.oraclecloud99.com");
    }
}

#[tokio::test]
async fn a_description_does_not_move_a_region_of_the_table() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    let mut moved = atlantis();
    moved["regionIdentifier"] = json!("eu-milan-1");
    let region_metadata = vec![Region::from_metadata(&moved.to_string()).unwrap()];
    let settings = Settings { region_metadata, ..user_in(&cloud, &home, Some("eu-milan-1")) };
    assert_eq!(cloud.oci_with(settings).region().await.unwrap().domain(), "oraclecloud.com");
}

#[tokio::test]
async fn an_instance_in_an_unknown_region_describes_it_by_either_name() {
    let cloud = Cloud::start().await;
    cloud.script(REGION_INFO, (0..3).map(|_| Reply::json(200, &atlantis())));
    for region in [None, Some("EU-ATLANTIS-1".to_owned()), Some("atl".to_owned())] {
        let settings = Settings { region, ..cloud.settings() };
        assert_eq!(identifier(&cloud.oci_with(settings)).await, "eu-atlantis-1");
    }
}

#[tokio::test]
async fn where_every_endpoint_is_set_an_unknown_region_is_no_more_than_a_name() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    let endpoints = cloud.settings();
    let settings = Settings { auth: user_in(&cloud, &home, Some("EU-Atlantis-1")).auth, ..endpoints };
    let oci = cloud.oci_with(settings.clone());
    assert_eq!(oci.identity().await.unwrap().1, "eu-atlantis-1");
    let hosts = oci.registry_hosts().await.unwrap();
    assert!(hosts.iter().any(|host| host.starts_with("127.0.0.1:")), "{hosts:?}");
    assert!(hosts.contains(&"ocir.eu-atlantis-1.oci.oraclecloud.com".to_owned()), "{hosts:?}");
    let settings = Settings { registry_endpoint: None, ..settings };
    let error = cloud.oci_with(settings).identity().await.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::SignIn, "ReadProfile"));
}

#[tokio::test]
async fn a_name_that_could_not_stand_in_a_host_name_is_no_region_at_all() {
    let (cloud, home) = (Cloud::start().await, Home::with_api_key());
    let settings = Settings { auth: user_in(&cloud, &home, Some("evil.example/")).auth, ..cloud.settings() };
    assert_eq!(cloud.oci_with(settings).identity().await.unwrap_err().kind(), ErrorKind::SignIn);
}

#[tokio::test]
async fn an_instance_needs_the_federation_endpoint_too() {
    let cloud = Cloud::start().await;
    let unknown = || Settings { region: Some("eu-atlantis-2".to_owned()), ..cloud.settings() };
    assert_eq!(cloud.oci_with(unknown()).identity().await.unwrap().1, "eu-atlantis-2");
    let settings = Settings { auth_endpoint: None, ..unknown() };
    assert_eq!(cloud.oci_with(settings).identity().await.unwrap_err().kind(), ErrorKind::SignIn);
}

#[tokio::test]
async fn both_short_answers_of_an_older_metadata_service_are_regions() {
    let cloud = Cloud::start().await;
    for (short, long) in [("phx", "us-phoenix-1"), ("iad", "us-ashburn-1"), ("eu-milan-1", "eu-milan-1")] {
        cloud.script(REGION_INFO, [Reply::error(404, "NotFound")]);
        cloud.script(REGION, [Reply::text(short)]);
        assert_eq!(identifier(&cloud.oci()).await, long);
    }
    cloud.script(REGION_INFO, [Reply::error(404, "NotFound")]);
    cloud.script(REGION, [Reply::text("atlantis")]);
    assert!(cloud.oci().region().await.is_err());
}

#[tokio::test]
async fn an_endpoint_of_its_own_for_the_identity_service_is_used() {
    let (cloud, elsewhere) = (Cloud::start().await, Cloud::start().await);
    let route = "GET /20160918/users/ocid1.user.oc1..u/authTokens";
    let identity_endpoint: Option<Endpoint> = elsewhere.settings().identity_endpoint;
    let settings = Settings { identity_endpoint, max_tries: std::num::NonZeroU32::MIN, ..cloud.settings() };
    let user = "ocid1.user.oc1..u".parse().unwrap();
    cloud.oci_with(settings).auth_tokens(&user).await.unwrap_err();
    assert_eq!((cloud.n_seen(route), elsewhere.n_seen(route)), (0, 2));
}
