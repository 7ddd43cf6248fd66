//! Whole configurations, through files as an operator writes them.

mod admin;
mod belief;
mod ecr;
mod findings;
mod loss;
mod mistakes;
mod published;

use std::fs;
use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird_model::{Bytes, Patterns, Selects};
use tempfile::TempDir;

use super::*;

const EXAMPLE: &str = include_str!("../../../../../deploy/ocird.example.toml");
const MGH: &str = include_str!("../../../../../deploy/policies.d/mgh.toml");
const TODO: &str = include_str!("../../../../../deploy/policies.d/todo.toml");

/// The least that loads.
const LEAST: &str = "[oci]\ncompartments = ['ocid1.compartment.oc1..a']\n";
/// The least that is armed.
const ARMED: &str = "mode = 'enforce'
armed_for = { tenancy = 'ocid1.tenancy.oc1..t', region = 'eu-milan-1', compartments = ['ocid1.compartment.oc1..a'] }
oci.compartments = ['ocid1.compartment.oc1..a']
in_use.files = [{ path = 'in-use.json', repositories = ['mgh-*'] }]
";
const POLICY: &str = "project = 'mgh'\nrepositories = ['mgh-*']\n";

/// A directory with a central file and policies.
struct Files(TempDir);

impl Files {
    fn new(central: &str, policies: &[(&str, &str)]) -> Self {
        let files = Self(TempDir::new().unwrap());
        fs::write(files.0.path().join("ocird.toml"), central).unwrap();
        fs::create_dir(files.0.path().join("policies.d")).unwrap();
        for (name, text) in policies {
            files.policy(name, text);
        }
        files
    }

    fn policy(&self, name: &str, text: &str) {
        fs::write(self.0.path().join("policies.d").join(name), text).unwrap();
    }

    fn load(&self) -> Result<Config, String> {
        let loaded = load_in(&self.0.path().join("ocird.toml"), &Environment::default());
        loaded.map_err(|problems| self.shown(&problems.to_string()))
    }

    /// Without the directory, which differs in every run.
    fn shown(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn central(text: &str) -> Result<Config, String> {
    Files::new(text, &[]).load()
}

fn policy(text: &str) -> Result<Config, String> {
    Files::new(LEAST, &[("mgh.toml", text)]).load()
}

fn warnings(config: &Config) -> Vec<&str> {
    config.warnings.iter().map(|warning| warning.text.as_str()).collect()
}

/// The example with what is commented out turned on, and armed.
fn armed_example() -> String {
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && line != "#";
    let lines = EXAMPLE.lines().map(|line| if is_key(line) { &line[1..] } else { line });
    let text: Vec<&str> = lines.collect();
    let text = text.join("\n").replace("mode = \"report\"", "mode = \"enforce\"");
    text.replace("auth = \"instance_principal\"", "auth = \"api_key\"")
}

fn example(central: &str) -> Files {
    Files::new(central, &[("mgh.toml", MGH), ("todo.toml", TODO)])
}

#[test]
fn the_example_loads_and_says_the_defaults() {
    let shown = example(EXAMPLE).load().unwrap();
    let least = Files::new(LEAST, &[]).load().unwrap();
    assert_eq!(shown.mode, Mode::Report);
    assert_eq!(shown.armed_for, None);
    assert_eq!(shown.state_dir, least.state_dir);
    assert!(shown.policies_dir.ends_with("policies.d") && least.policies_dir.ends_with("policies.d"));
    assert_eq!(shown.oci.page_size, least.oci.page_size);
    assert_eq!(shown.oci.endpoints, Endpoints::default());
    assert_eq!(shown.schedule, least.schedule);
    assert_eq!(shown.policies.guardrails, least.policies.guardrails);
    assert_eq!(shown.limits, least.limits);
    assert_eq!((shown.backup, &shown.price), (least.backup, &least.price));
    assert_eq!(shown.in_use.accept_none, least.in_use.accept_none);
    assert_eq!(shown.in_use.keep_previous, least.in_use.keep_previous);
    assert_eq!(shown.in_use.files[0].scope.max_age, TimeDelta::hours(26));
    assert_eq!(shown.findings, least.findings);
    assert_eq!(shown.http, least.http);
    assert_eq!(shown.log, least.log);
}

#[test]
fn every_key_that_the_example_comments_out_exists() {
    let config = example(&armed_example()).load().unwrap();
    assert_eq!(config.mode, Mode::Enforce);
    assert!(config.armed_for.is_some());
    assert!(config.schedule.window.is_some());
    assert!(config.oci.endpoints.identity.is_some());
    assert_eq!(config.in_use.files[0].expect, ["milan-1"]);
    assert_eq!(config.in_use.files[0].forget, ["milan-0"]);
    assert_eq!(
        config.in_use.scopes().filter(|scope| scope.sentinel.is_some()).count(),
        4,
        "of every kind one"
    );
    let prometheus = &config.in_use.prometheus[0];
    assert!(prometheus.token_file.is_some() && prometheus.ca_file.is_some() && prometheus.down.is_some());
    assert_eq!(config.http.names, ["ocird.internal"]);
    let findings = &config.findings;
    assert!(findings.recommended.keep_newest.is_some() && findings.recommended.untagged_older_than.is_some());
    assert_eq!((findings.auth_tokens.len(), findings.naming.len(), findings.homes.len()), (1, 1, 1));
    assert!(
        findings.warn_at < findings.budget && findings.immutable.is_some() && !findings.expected.is_empty()
    );
    let price = config.price.as_ref().unwrap();
    assert_eq!((&*price.currency, price.free), ("USD", Bytes(500_000_000)));
    assert_eq!(warnings(&config), [""; 0]);
}

#[test]
fn the_policies_of_the_example_say_what_they_read_like() {
    let config = example(EXAMPLE).load().unwrap();
    let [mgh, todo] = config.policies.policies.as_slice() else {
        panic!("two policies");
    };
    assert_eq!((mgh.project.as_str(), mgh.keep.len(), mgh.delete.len()), ("mgh", 3, 2));
    assert_eq!(
        (mgh.keep[1].newest, mgh.keep[1].unless_usage_above),
        (NonZeroU32::new(10), Some(Bytes(475_000_000)))
    );
    assert_eq!((mgh.keep[2].newest, mgh.keep[2].unless_usage_above), (NonZeroU32::new(5), None));
    assert_eq!(mgh.delete[0].selects, Selects::Untagged);
    assert_eq!(mgh.delete[0].older_than, Some(TimeDelta::days(14)));
    assert_eq!((mgh.delete[1].selects.clone(), mgh.delete[1].older_than), (Selects::Tagged, None));
    assert_eq!(mgh.delete[1].while_usage_above, Some(Bytes(350_000_000)));
    assert_eq!((todo.project.as_str(), todo.enforce_public), ("todo", false));
    assert_eq!((todo.keep.len(), todo.delete.len()), (4, 2));
    assert!(todo.keep[2].tags.as_ref().unwrap().matches("v1.2.3"));
    assert_eq!(todo.keep[2].newer_than, Some(TimeDelta::days(365)), "a year, though builds go after 90 days");
    assert_eq!(todo.delete[1].older_than, Some(TimeDelta::days(90)));
    assert!(!warnings(&config).iter().any(|warning| warning.contains("rule")), "{:?}", warnings(&config));
}

#[test]
fn the_least_configuration_only_reports() {
    let config = central(LEAST).unwrap();
    assert_eq!(config.mode, Mode::Report);
    assert_eq!(config.limits, Limits { max_per_pass: 50, max_per_day: 200, max_plan: 200 });
    assert!(warnings(&config)[0].contains("no policy here"));
}

fn refused<T: std::fmt::Debug>(loaded: Result<T, String>, place: &str, words: &str) {
    let problems = loaded.unwrap_err();
    let found = problems.split("\n\n").any(|problem| problem.starts_with(place) && problem.contains(words));
    assert!(found, "wanted {words:?} at {place:?}, found:\n{problems}");
}

#[test]
fn the_least_armed_configuration_is_armed_for_what_it_names() {
    let config = Files::new(ARMED, &[("mgh.toml", POLICY)]).load().unwrap();
    let armed = config.armed_for.unwrap();
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(armed.region, "eu-milan-1");
    assert!(armed.compartments.into_iter().eq(config.oci.compartments));
}

#[test]
fn arming_takes_every_word_of_it() {
    let cases = [
        ("armed_for = {", "#", "needs [armed_for]"),
        ("tenancy = 'ocid1.tenancy.oc1..t', ", "", "[armed_for] needs tenancy"),
        ("region = 'eu-milan-1', ", "", "[armed_for] needs region"),
        (", compartments = ['ocid1.compartment.oc1..a'] }", " }", "[armed_for] needs compartments"),
        (
            "oci.compartments = ['ocid1.compartment.oc1..a']",
            "oci.compartments = ['ocid1.compartment.oc1..b']",
            "the same compartments",
        ),
        (
            "oci.compartments = ['ocid1.compartment.oc1..a']",
            "oci.compartments = ['ocid1.compartment.oc1..a', 'ocid1.tenancy.oc1..t']",
            "the same compartments",
        ),
        ("oci.compartments = ['ocid1.compartment.oc1..a']", "", "[oci] needs compartments"),
        ("oci.compartments", "oci.region = 'eu-zurich-1'\noci.compartments", "is not oci.region"),
        ("'mgh-*'", "'mgh-a*'", "covers mgh-*"),
        ("in_use.files", "#", "covers mgh-*"),
    ];
    for (from, to, words) in cases {
        let text = ARMED.replacen(from, to, 1);
        assert_ne!(text, ARMED, "{from}");
        refused(Files::new(&text, &[("mgh.toml", POLICY)]).load(), "", words);
    }
}

#[test]
fn saying_that_nothing_runs_takes_the_place_of_a_source() {
    let text = ARMED.replace("in_use.files = [", "in_use.accept_none = true #");
    assert!(Files::new(&text, &[("mgh.toml", POLICY)]).load().is_ok());
}

#[test]
fn an_armed_daemon_without_policies_does_not_start() {
    refused(Files::new(ARMED, &[]).load(), "policies.d: ", "no policy here");
}

#[test]
fn a_newest_rule_bounds_only_the_tags_it_is_over() {
    let rules = |kept: &str, deleted: &str| {
        policy(&format!(
            "{POLICY}[[keep]]\nname = 'k'\nnewest = 9\n{kept}\n[[delete]]\nname = 'd'\n{deleted}\n"
        ))
    };
    assert!(rules("", "tagged = true").is_ok());
    assert!(rules("tags = ['*']", "tagged = true").is_ok());
    assert!(rules("tags = ['dev-*']", "tags = ['dev-*']").is_ok());
    assert!(rules("tags = ['b-*', 'a-*']", "tags = ['a-*', 'b-*']").is_ok());
    // Nine newer releases, and none of what the rule takes would be held.
    refused(rules("", "tags = ['dev-*']"), "", "needs a bound");
    refused(rules("tags = ['*']", "tags = ['dev-*']"), "", "needs a bound");
    refused(rules("tags = ['dev-*', 'v*']", "tags = ['dev-*']"), "", "needs a bound");
    refused(rules("tags = ['dev-a*']", "tags = ['dev-*']"), "", "needs a bound");
    refused(rules("tags = ['v*']", "tags = ['dev-*']"), "", "needs a bound");
    refused(rules("tags = ['v*']", "tagged = true"), "", "needs a bound");
    refused(rules("newer_than = '2d'", "tagged = true"), "", "needs a bound");
    refused(rules("", "tagged = false"), "", "needs older_than");
    refused(rules("unless_usage_above = '9MB'", "tagged = true"), "", "needs a bound");
    refused(rules("pulled_within = '9d'", "tagged = true"), "", "needs a bound");
    refused(rules("group_by = '^(v)'", "tagged = true"), "", "needs a bound");
    assert!(rules("tags = ['v*']", "tagged = true\nwhile_usage_above = '9MB'").is_ok());
    assert!(rules("", "tagged = false\nwhile_usage_above = '9MB'").is_ok());
}

#[test]
fn a_delete_rule_that_another_makes_needless_is_warned_of() {
    let told = |first: &str, second: &str| {
        let rule = |name, text| format!("[[delete]]\nname = '{name}'\n{text}\n");
        let config = policy(&format!("{POLICY}{}{}", rule("first", first), rule("second", second))).unwrap();
        let needless = |text: &&str| text.contains("changes nothing");
        warnings(&config).into_iter().filter(needless).map(str::to_owned).collect::<Vec<_>>()
    };
    let (releases, builds) = ("tags = ['v[0-9]*']\nolder_than = '365d'", "tagged = true\nolder_than = '90d'");
    for (first, second, by) in [
        (releases, builds, "second"),
        (builds, releases, "first"),
        (builds, builds, "first"),
        ("tagged = false\nolder_than = '9d'", "tagged = false\nolder_than = '8d'", "second"),
        ("tags = ['a-*']\nolder_than = '9d'", "tags = ['a-b*']\nolder_than = '9d'", "first"),
        ("tags = ['*']\nolder_than = '9d'", "tagged = true\nolder_than = '9d'", "first"),
        (builds, "tagged = true\nolder_than = '90d'\nnot_pulled_for = '9d'", "first"),
        (builds, "tagged = true\nolder_than = '90d'\nwhile_usage_above = '9MB'", "first"),
        ("tagged = true\nwhile_usage_above = '9MB'", "tagged = true\nwhile_usage_above = '8MB'", "second"),
    ] {
        let told = told(first, second);
        assert_eq!(told.len(), 1, "{first} and {second}: {told:?}");
        assert!(told[0].contains(&format!("delete rule \"{by}\" takes all of it")), "{told:?}");
    }
    for (first, second) in [
        (builds, "tagged = false\nolder_than = '90d'"),
        (builds, "tags = ['v[0-9]*']\nolder_than = '30d'"),
        (builds, "tags = ['sha256-*']\nolder_than = '90d'"),
        (builds, "tags = ['s*']\nolder_than = '90d'"),
        (builds, "tagged = true\nwhile_usage_above = '9MB'"),
        ("tagged = true\nolder_than = '9d'\nnot_pulled_for = '9d'", builds),
        ("tags = ['a-*']\nolder_than = '9d'", "tags = ['b-*']\nolder_than = '9d'"),
    ] {
        assert_eq!(told(first, second), [""; 0], "{first} and {second}");
    }
}

#[test]
fn a_project_and_a_repository_have_one_policy() {
    let load = |other: &str| Files::new(LEAST, &[("a.toml", POLICY), ("b.toml", other)]).load();
    assert!(load("project = 'todo'\nrepositories = ['todo-*']").is_ok());
    refused(load("project = 'mgh'\nrepositories = ['x']"), "policies.d/b.toml:1:11", "has a policy already");
    for pattern in ["mgh-*", "mgh-docs", "*", "mgh-a-*"] {
        let other = format!("project = 'b'\nrepositories = ['{pattern}']");
        refused(load(&other), "policies.d/b.toml:2:17", "exactly one policy governs");
    }
}

#[test]
fn every_condition_of_a_rule_is_read() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let config = policy(&format!(
        "{POLICY}[[keep]]\nname = 'k'\ntags = ['v*']\nnewest = 9\ngroup_by = '^v([0-9]+)'\nnewer_than = '2d'
pulled_within = '30d'\ndigests = ['{digest}']\nresource_tags = {{ keep = 'y*', 'Retention.keep' = 'yes' }}
unless_usage_above = '1.5GiB'\n[[delete]]\nname = 'd'\ntags = ['v*']\nolder_than = '7d'\nnot_pulled_for = '60d'
while_usage_above = '2 GB'\n"
    ));
    let policies = config.unwrap().policies.policies;
    let [keep] = policies[0].keep.as_slice() else { panic!("one keep rule") };
    assert_eq!(keep.group_by.as_ref().unwrap().group("v12.3"), Some("12"));
    assert_eq!(keep.pulled_within, Some(TimeDelta::days(30)));
    assert!(keep.digests.as_ref().unwrap().contains(&digest.parse().unwrap()));
    let names: Vec<&str> = keep.resource_tags.as_ref().unwrap().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["Retention.keep", "keep"]);
    assert_eq!(keep.unless_usage_above, Some(Bytes(1_610_612_736)));
    let [delete] = policies[0].delete.as_slice() else { panic!("one delete rule") };
    assert_eq!(delete.not_pulled_for, Some(TimeDelta::days(60)));
    assert_eq!(delete.while_usage_above, Some(Bytes(2_000_000_000)));
}

#[test]
fn a_policy_claims_only_what_its_project_was_given() {
    let load = |projects: &str, claims: &str| {
        let central = format!("{LEAST}{projects}\n");
        Files::new(&central, &[("mgh.toml", &format!("project = 'mgh'\nrepositories = {claims}\n"))]).load()
    };
    let given = "[projects.mgh]\nrepositories = ['mgh-*', 'legacy']";
    for claims in ["['mgh-docs']", "['mgh-*']", "['mgh-a*', 'legacy']", "['mgh-{a,b}']"] {
        assert!(load(given, claims).is_ok(), "{claims}");
        assert!(load("", claims).is_ok(), "{claims}");
    }
    for claims in ["['todo-web']", "['*']", "['mgh*']", "['legacy-*']", "['{mgh-a,todo}']", "['?gh-a']"] {
        refused(load(given, claims), "policies.d/mgh.toml:2:17", "is not within mgh-*, legacy");
        assert!(load("", claims).is_ok(), "{claims}");
    }
    let other = "[projects.todo]\nrepositories = ['*']";
    refused(load(other, "['mgh-docs']"), "policies.d/mgh.toml:1:11", "gives nothing to \"mgh\"");
    insta::assert_snapshot!(load(given, "['mgh-docs', 'todo-*']").unwrap_err(), @r#"
    policies.d/mgh.toml:2:29: todo-* is not within mgh-*, legacy, which is what [projects] gives "mgh"; claim names, or a pattern that begins like one of those
      |
    2 | repositories = ['mgh-docs', 'todo-*']
      |                             ^^^^^^^^
    "#);
}

#[test]
fn a_reload_keeps_to_what_the_projects_were_given() {
    let central = format!("{LEAST}[projects.mgh]\nrepositories = ['mgh-*']\n");
    let files = Files::new(&central, &[("mgh.toml", POLICY)]);
    let config = files.load().unwrap();
    files.policy("mgh.toml", "project = 'mgh'\nrepositories = ['todo-*']");
    let problems = load_policies(&config).unwrap_err().to_string();
    assert!(problems.contains("is not within mgh-*"), "{problems}");
}

#[test]
fn mistakes_in_every_file_are_named_together() {
    let files = Files::new("mod = 1", &[("a.toml", "proj = 1"), ("b.toml", "project = 1")]);
    let problems = files.load().unwrap_err();
    for place in ["ocird.toml:1:1", "policies.d/a.toml:1:1", "policies.d/b.toml:1:11"] {
        assert!(problems.contains(place), "{problems}");
    }
}

#[test]
fn what_is_odd_is_warned_of_and_loads() {
    let text = "[[keep]]\nname = 'a'\nnewest = 3\n[[keep]]\nname = 'b'\nnewer_than = '24h'
[[keep]]\nname = 'd'\nnewest = 9\ngroup_by = 'v([0-9]+)'
[[delete]]\nname = 'c'\ntagged = true\nolder_than = '23h'";
    let files = Files::new(
        &format!("{LEAST}[limits]\nmax_per_day = 9\n[[in_use.files]]\npath = '*.json'\nrepositories = ['*']"),
        &[
            ("mgh.toml", &format!("{POLICY}{text}")),
            ("x.toml", "project = 'x'\nrepositories = ['x']"),
            ("y.toml.bak", ""),
            (".hidden", ""),
        ],
    );
    let config = files.load().unwrap();
    let wanted = [
        "never reached",
        "expect",
        "newest 3 anyway",
        "younger than 1day anyway",
        "anywhere in a tag",
        "waits for that",
        "no [[delete]]",
        "is ignored",
    ];
    let warnings = warnings(&config);
    assert_eq!(warnings.len(), wanted.len(), "{warnings:#?}");
    for (warning, words) in warnings.iter().zip(wanted) {
        assert!(warning.contains(words), "{warning:?} has no {words:?}");
    }
}

#[test]
fn a_reload_reads_the_policies_anew_and_refuses_like_a_start() {
    let files = Files::new(ARMED, &[("mgh.toml", POLICY)]);
    let config = files.load().unwrap();
    assert_eq!(load_policies(&config).unwrap(), config.policies);

    files.policy("mgh.toml", "project = 'mgh'\nrepositories = ['mgh-docs']");
    let again = load_policies(&config).unwrap();
    assert!(again.policies[0].repositories.matches("mgh-docs"));
    assert_ne!(again, config.policies);

    files.policy("todo.toml", "project = 'todo'\nrepositories = ['todo-*']");
    let problems = load_policies(&config).unwrap_err().to_string();
    assert!(problems.contains("covers todo-*"), "{problems}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_of_that_file() {
    let files = Files::new(LEAST, &[]);
    fs::write(files.0.path().join("policies.d/a.toml"), [0xff]).unwrap();
    fs::create_dir(files.0.path().join("policies.d/b.toml")).unwrap();
    refused(files.load(), "policies.d/a.toml: ", "not UTF-8");
    refused(files.load(), "policies.d/b.toml: ", "not a file");
    fs::remove_file(files.0.path().join("ocird.toml")).unwrap();
    refused(files.load(), "ocird.toml: ", "cannot be read");
}

#[test]
fn relative_paths_count_from_the_directory_of_their_file() {
    let files = Files::new(&format!("state_dir = 'state'\n{LEAST}ca_file = '/etc/ca.pem'"), &[]);
    let config = files.load().unwrap();
    assert_eq!(config.state_dir, files.0.path().join("state"));
    assert_eq!(config.policies_dir, files.0.path().join("policies.d"));
    assert_eq!(config.oci.ca_file, Some("/etc/ca.pem".into()));
    let beside = Source { path: "ocird.toml".into(), text: String::new() };
    assert_eq!(beside.directory(), Path::new("."));
}

#[test]
fn a_missing_directory_of_policies_is_a_problem() {
    let text = format!("policies_dir = 'elsewhere'\n{LEAST}");
    refused(central(&text), "elsewhere: ", "cannot be listed");
}

#[test]
fn the_environment_names_the_metadata_service_and_the_file_wins() {
    let load = |value: &str, central: &str| {
        let files = Files::new(central, &[]);
        let environment = Environment::of(|name| (name == "OCI_METADATA_BASE_URL").then(|| value.into()));
        let loaded = load_in(&files.0.path().join("ocird.toml"), &environment);
        loaded
            .map(|config| config.oci.endpoints.metadata)
            .map_err(|problems| files.shown(&problems.to_string()))
    };
    let file = format!("{LEAST}endpoints.metadata = 'http://127.0.0.1:2'");
    assert_eq!(load(" http://127.0.0.1:1/opc/v2/ ", LEAST), Ok(Some("http://127.0.0.1:1/opc/v2".into())));
    assert_eq!(load(" ", LEAST), Ok(None));
    assert_eq!(load("http://127.0.0.1:1", &file), Ok(Some("http://127.0.0.1:2".into())));
    let problem = load("http://10.0.0.1", LEAST).unwrap_err();
    assert!(problem.contains("OCI_METADATA_BASE_URL must be https"), "{problem}");
}

fn signing(oci: &str) -> Result<AuthConfig, String> {
    let files = Files::new(&format!("{LEAST}{oci}"), &[]);
    let environment = Environment::of(|name| (name == "HOME").then(|| "/home/op".into()));
    let loaded = load_in(&files.0.path().join("ocird.toml"), &environment);
    loaded.map(|config| config.oci.auth).map_err(|problems| files.shown(&problems.to_string()))
}

#[test]
fn a_profile_signs_where_auth_says_so_and_has_the_defaults_of_the_sdks() {
    assert_eq!(signing(""), Ok(AuthConfig::InstancePrincipal));
    assert_eq!(signing("auth = 'instance_principal'"), Ok(AuthConfig::InstancePrincipal));
    let profile = |kind, name: &str, file: &str| {
        let home = Some("/home/op".into());
        Ok(AuthConfig::Profile(ProfileConfig { kind, name: name.to_owned(), file: file.into(), home }))
    };
    let file = "/home/op/.oci/config";
    assert_eq!(signing("auth = 'api_key'"), profile(ProfileKind::ApiKey, "DEFAULT", file));
    let given = "auth = 'security_token'\nprofile = 'DEV'\nconfig_file = '~/dev'";
    assert_eq!(signing(given), profile(ProfileKind::SecurityToken, "DEV", "/home/op/dev"));
    let given = "auth = 'api_key'\nconfig_file = '/etc/oci'";
    assert_eq!(signing(given), profile(ProfileKind::ApiKey, "DEFAULT", "/etc/oci"));
}

#[test]
fn an_instance_principal_has_no_profile() {
    for key in ["profile", "config_file"] {
        let problem = signing(&format!("{key} = 'DEFAULT'")).unwrap_err();
        let expected = format!("oci.{key} is for auth = \"api_key\" or \"security_token\"");
        assert!(problem.starts_with("ocird.toml:3:") && problem.contains(&expected), "{problem}");
        assert!(problem.contains("^^^^^^^^^"), "{problem}");
    }
    let blank = signing("auth = 'api_key'\nprofile = ' '").unwrap_err();
    assert!(blank.contains("oci.profile is blank"), "{blank}");
    let homeless = central(&format!("{LEAST}auth = 'api_key'")).unwrap_err();
    assert!(homeless.contains("[oci] needs config_file"), "{homeless}");
    let homeless = central(&format!("{LEAST}auth = 'api_key'\nconfig_file = '~/x'")).unwrap_err();
    assert!(homeless.contains("HOME is not set"), "{homeless}");
}

#[test]
fn how_to_reach_the_cloud_is_read_without_the_rest() {
    let reach = |text: &str| {
        let files = Files::new(text, &[]);
        let read = reach_in(Some(&files.0.path().join("ocird.toml")), &Environment::default());
        read.map_err(|problems| files.shown(&problems.to_string()))
    };
    let read = reach("mod = 1\n[oci]\nregion = 'eu-milan-1'\n[htpp]\n[limits]\nmax_per_day = 0").unwrap();
    assert_eq!((read.region.as_deref(), read.compartments.len()), (Some("eu-milan-1"), 0));
    refused(reach("[oci]\nregoin = 'eu-milan-1'"), "ocird.toml:2:1: ", "did you mean `region`?");
    refused(reach("[oci"), "ocird.toml:1:", "");
    let nothing = reach_in(None, &Environment::default()).unwrap();
    assert_eq!((nothing.auth, nothing.endpoints), (AuthConfig::InstancePrincipal, Endpoints::default()));
}

#[test]
fn the_environment_describes_a_region_that_is_newer_than_the_table() {
    let load = |value: &str| {
        let environment = Environment::of(|name| (name == "OCI_REGION_METADATA").then(|| value.into()));
        reach_in(None, &environment)
            .map(|reach| reach.region_metadata)
            .map_err(|problems| problems.to_string())
    };
    let new = r#"{"regionIdentifier": "eu-new-9", "regionKey": "NEW", "realmKey": "oc1",
        "realmDomainComponent": "oraclecloud.com"}"#;
    assert_eq!(load(new).unwrap().unwrap().registry_url(), "https://ocir.eu-new-9.oci.oraclecloud.com");
    assert_eq!(load(" ").unwrap(), None);
    let problem = load("{}").unwrap_err();
    assert!(problem.contains("the environment variable OCI_REGION_METADATA is wrong"), "{problem}");
}
