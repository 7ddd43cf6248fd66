use ocird_model::Patterns;

use super::*;

fn config() -> PrometheusSource {
    PrometheusSource {
        url: "http://127.0.0.1:9".to_owned(),
        query: "container_last_seen".to_owned(),
        down: None,
        image_label: "image".to_owned(),
        digest_label: Some("image_id".to_owned()),
        host_label: Some("instance".to_owned()),
        by_labels: Vec::new(),
        token_file: None,
        ca_file: None,
        expect: Vec::new(),
        forget: Vec::new(),
        scope: Scope { repositories: Patterns::all(), max_age: TimeDelta::minutes(15), sentinel: None },
    }
}

fn source() -> Prometheus {
    Prometheus::new(config(), &[])
}

/// A series with these labels, beside its image.
fn series(labels: &[(&str, &str)]) -> Sample {
    let labels = labels.iter().chain(&[("image", "lin.ocir.io/ns/app:v1")]);
    Sample { metric: labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
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
        {"metric":{"image":"lin.ocir.io/ns/app:v1","image_id":"docker-pullable://lin.ocir.io/ns/app@DIGEST",
         "name":"web","instance":"a:8080"},"value":[1,"1"]}, {"metric":{"name":"x"},"value":[1,"1"]}]}}"#;
    let digest = format!("sha256:{}", "ab".repeat(32));
    let samples = read(&text.replace("DIGEST", &digest)).unwrap();
    let mention = source().mention(&samples[0]).unwrap();
    assert_eq!(mention.image, "lin.ocir.io/ns/app:v1");
    assert_eq!((mention.digest.as_deref(), mention.by.as_str()), (Some(digest.as_str()), "container web"));
    assert!(source().mention(&samples[1]).is_err(), "a series that names no image hides one");
}

#[test]
fn who_runs_it_is_called_the_same_after_a_restart() {
    let by = |labels: &[(&str, &str)], source: &Prometheus| source.mention(&series(labels)).unwrap().by;
    let id = "a".repeat(64);
    let pod = [("namespace", "prod"), ("pod", "web-x2x"), ("container", "web"), ("name", id.as_str())];
    assert_eq!(by(&pod, &source()), "container prod web");
    assert_eq!(by(&[("name", "web")], &source()), "container web");
    assert_eq!(by(&[], &source()), "container");
    let by_labels = vec!["pod".to_owned(), "container".to_owned()];
    let named = Prometheus::new(PrometheusSource { by_labels, ..config() }, &[]);
    assert_eq!(by(&pod, &named), "container web-x2x web");
}

#[test]
fn a_label_of_a_digest_holds_one_or_is_blank() {
    let digest = |text: &str| source().mention(&series(&[("image_id", text)])).map(|mention| mention.digest);
    let id = "a".repeat(64);
    assert_eq!(digest("").unwrap(), None);
    assert_eq!(digest(&id).unwrap(), Some(format!("sha256:{id}")));
    assert_eq!(digest(&format!("h/app@sha256:{id}")).unwrap(), Some(format!("sha256:{id}")));
    let error = digest(&"x".repeat(200)).unwrap_err().to_string();
    let shown = format!("the label image_id = \"{}\", which", "x".repeat(MAX_SHOWN));
    assert!(error.contains(&shown), "{error}");
    assert!(digest("h/app:v1").is_err());
}

#[test]
fn a_series_without_its_host_is_refused() {
    assert_eq!(source().host(&series(&[("instance", "a:8080")])).unwrap().as_deref(), Some("a:8080"));
    for labels in [&[("instance", "")][..], &[("instance", " ")], &[]] {
        let error = source().host(&series(labels)).unwrap_err();
        assert!(error.to_string().contains("no label instance"), "{error}");
    }
    let together = Prometheus::new(PrometheusSource { host_label: None, ..config() }, &[]);
    assert_eq!(together.host(&series(&[])).unwrap(), None);
}

#[test]
fn two_queries_to_one_server_are_remembered_apart() {
    let other = PrometheusSource { query: "kube_pod_container_info".to_owned(), ..config() };
    let elsewhere = PrometheusSource { url: "http://127.0.0.1:10".to_owned(), ..other.clone() };
    let name = |all: &[PrometheusSource], n: usize| Prometheus::new(all[n].clone(), all).name();
    let all = [config(), other];
    assert_eq!(name(&all, 0), "prometheus http://127.0.0.1:9", "what it remembers outlives a second one");
    assert_eq!(name(&all, 1), "prometheus http://127.0.0.1:9 kube_pod_container_info");
    let apart = [config(), elsewhere];
    assert_eq!(name(&apart, 0), "prometheus http://127.0.0.1:9");
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
