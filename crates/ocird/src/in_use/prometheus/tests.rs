use ocird_model::Patterns;

use super::*;

fn source() -> Prometheus {
    Prometheus(PrometheusSource {
        url: "http://127.0.0.1:9".to_owned(),
        query: "container_last_seen".to_owned(),
        down: None,
        image_label: "image".to_owned(),
        digest_label: Some("image_id".to_owned()),
        host_label: Some("instance".to_owned()),
        by_labels: vec!["namespace".to_owned(), "name".to_owned()],
        token_file: None,
        ca_file: None,
        expect: Vec::new(),
        forget: Vec::new(),
        scope: Scope { repositories: Patterns::all(), max_age: TimeDelta::minutes(15), sentinel: None },
    })
}

fn read(text: &str) -> Result<Vec<Sample>, PrometheusError> {
    samples(serde_json::from_str(text).unwrap())
}

#[test]
fn an_answer_that_is_not_whole_is_an_error() {
    let cases = [
        (
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            "the query failed: parse error",
        ),
        (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "gives a matrix"),
        (
            r#"{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["a store is down"]}"#,
            "not whole: a store is down",
        ),
        (r#"{"status":"success"}"#, "the query failed: success"),
    ];
    for (text, expected) in cases {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_series_names_its_image_its_digest_and_who_runs_it() {
    let text = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"image":"lin.ocir.io/ns/app:v1","image_id":"docker-pullable://lin.ocir.io/ns/app@sha256:ab",
         "name":"web","instance":"a:8080"},"value":[1,"1"]}, {"metric":{"name":"x"},"value":[1,"1"]}]}}"#;
    let samples = read(text).unwrap();
    let mention = source().mention(&samples[0]).unwrap();
    assert_eq!(mention.image, "lin.ocir.io/ns/app:v1");
    assert_eq!((mention.digest.as_deref(), mention.by.as_str()), (Some("sha256:ab"), "container web"));
    assert!(source().mention(&samples[1]).is_err(), "a series that names no image hides one");
}

#[test]
fn a_digest_is_found_in_what_exporters_write() {
    assert_eq!(digest_in("sha256:ab"), Some("sha256:ab"));
    assert_eq!(digest_in("h/app@sha256:ab"), Some("sha256:ab"));
    assert_eq!(digest_in("docker://sha256:ab"), Some("sha256:ab"));
    assert_eq!(digest_in("h/app:v1"), None);
    assert_eq!(digest_in("h/xsha256:ab"), None);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_report_and_no_silence() {
    let reports = source().ask(DateTime::UNIX_EPOCH).await;
    assert!(reports.len() == 1 && reports[0].answer.is_err(), "{reports:?}");
}
