//! What must not be written, and how that is said.

use super::*;

/// One file with a mistake on every line that has one.
const MISTAKEN: &str = r#"mod = "report"
state_dir = " "
[armed_for]
tenancy = "ocid1.compartment.oc1..a"
[oci]
compartments = ["ocid1.compartment.oc1..a", "ocid1.compartment.oc1..a"]
region = "Milan"
endpoints.auth = "http://auth.example"
auth = "api-key"
page_size = 0
[schedule]
observe = "0 */15 * * * *"
window = "22-06"
[guardrails]
min_newest = -1
min_age = 24
grace = "5m"
[limits]
max_per_day = "200"
[in_use]
dokcer = true
[[in_use.files]]
repositories = []
max_age = "1y"
[http]
listen = "0.0.0.0"
[log]
format = "xml"
filter = "inof"
"#;

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is the snapshot")]
fn every_mistake_is_named_at_once_and_at_its_place() {
    let problems = central(MISTAKEN).unwrap_err();
    let places: Vec<usize> = problems
        .lines()
        .filter_map(|line| line.strip_prefix("ocird.toml:")?.split(':').next()?.parse().ok())
        .collect();
    assert_eq!(places, [1, 2, 4, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 19, 21, 23, 24, 26, 28, 29]);
    insta::assert_snapshot!(problems, @r#"
    ocird.toml:1:1: unknown key `mod`; did you mean `mode`?
      |
    1 | mod = "report"
      | ^^^

    ocird.toml:2:13: state_dir is blank or has control characters
      |
    2 | state_dir = " "
      |             ^^^

    ocird.toml:4:11: not the OCID of a tenancy (wanted ocid1.tenancy.…): "ocid1.compartment.oc1..a"
      |
    4 | tenancy = "ocid1.compartment.oc1..a"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^

    ocird.toml:6:45: oci.compartments names "ocid1.compartment.oc1..a" twice
      |
    6 | compartments = ["ocid1.compartment.oc1..a", "ocid1.compartment.oc1..a"]
      |                                             ^^^^^^^^^^^^^^^^^^^^^^^^^^

    ocird.toml:7:10: "Milan" is not a region identifier such as "eu-milan-1"
      |
    7 | region = "Milan"
      |          ^^^^^^^

    ocird.toml:8:18: oci.endpoints.auth must be https; plain http is for loopback addresses
      |
    8 | endpoints.auth = "http://auth.example"
      |                  ^^^^^^^^^^^^^^^^^^^^^

    ocird.toml:9:8: unknown value `api-key`; did you mean `api_key`?
      |
    9 | auth = "api-key"
      |        ^^^^^^^^^

    ocird.toml:10:13: oci.page_size must be a number from 1 to 1000
       |
    10 | page_size = 0
       |             ^

    ocird.toml:12:11: a schedule has five fields (minute hour day-of-month month day-of-week), this has 6; leave seconds and years out
       |
    12 | observe = "0 */15 * * * *"
       |           ^^^^^^^^^^^^^^^^

    ocird.toml:13:10: a window is two times of day in UTC, such as "22:00-06:00"
       |
    13 | window = "22-06"
       |          ^^^^^^^

    ocird.toml:15:14: guardrails.min_newest must be a number from 1 to 100000
       |
    15 | min_newest = -1
       |              ^^

    ocird.toml:16:11: invalid type: integer `24`, expected a number with its unit in quotes, such as "14d" or "36h"
       |
    16 | min_age = 24
       |           ^^

    ocird.toml:17:9: guardrails.grace must be at least 1h (m is minutes; write months in full)
       |
    17 | grace = "5m"
       |         ^^^^

    ocird.toml:19:15: invalid type: string "200", expected a whole number without quotes
       |
    19 | max_per_day = "200"
       |               ^^^^^

    ocird.toml:21:1: unknown key `dokcer`; did you mean `docker`?
       |
    21 | dokcer = true
       | ^^^^^^

    ocird.toml:23:16: in_use.files.repositories is empty, which is never "all"; name something, or leave it out
       |
    23 | repositories = []
       |                ^^

    ocird.toml:24:11: in_use.files.max_age must be at most 7days
       |
    24 | max_age = "1y"
       |           ^^^^

    ocird.toml:26:10: http.listen must be an address and a port, such as "127.0.0.1:6247"
       |
    26 | listen = "0.0.0.0"
       |          ^^^^^^^^^

    ocird.toml:28:10: unknown value `xml`; known here: text, json
       |
    28 | format = "xml"
       |          ^^^^^

    ocird.toml:29:10: "inof" is not a level (off, error, warn, info, debug, trace) or a list such as "info,ocird=debug"
       |
    29 | filter = "inof"
       |          ^^^^^^
    "#);
}

#[test]
fn a_value_of_the_wrong_kind_is_named_in_the_words_of_the_format() {
    let cases = [
        ("limits = 5", "expected a table of keys"),
        ("oci = 5", "expected a table of keys"),
        ("[in_use]\naccept_none = 'yes'", "expected true or false"),
        ("[oci]\ncompartments = 'x'", "expected a list in brackets"),
        ("[oci]\ncompartments = [1]", "expected a text in quotes"),
        ("[[limits]]\nmax_per_day = 1", ""),
        ("[oci]\nregion = ''", "is not a region identifier"),
        ("state_dir = 'a'\nstate_dir = 'b'", "duplicate key"),
        ("[log]\n[log]", "duplicate key"),
        ("mode = enforce", ""),
        ("mode = ", ""),
        ("\u{1b}[31m", ""),
    ];
    for (text, words) in cases {
        refused(central(text), "ocird.toml:", words);
    }
}

/// What stands below the least central file, where the problem is, and words of it.
const CENTRAL: &[(&str, &str, &str)] = &[
    ("[http]\nlisten = '0.0.0.0:80'", "ocird.toml:4:10", "allow_remote = true"),
    ("[http]\nlisten = '[::]:80'", "ocird.toml:4:10", "allow_remote = true"),
    ("[http]\nnames = ['A:1']", "ocird.toml:4:10", "not a host name"),
    ("[schedule]\nenforce = '0 12 * * *'\nwindow = '22:00-06:00'", "ocird.toml:5:10", "never falls"),
    ("[schedule]\nobserve = '0 0 30 2 *'", "ocird.toml:4:11", "never run"),
    ("[schedule]\nobserve = ''", "ocird.toml:4:11", "five fields"),
    ("[guardrails]\nmin_newest = 0", "ocird.toml:4:14", "from 1 to"),
    ("[guardrails]\nmin_age = '59m 59s'", "ocird.toml:4:11", "at least 1h"),
    ("[guardrails]\nmin_age = '0s'", "ocird.toml:4:11", "at least 1h"),
    ("[guardrails]\ngrace = '101y'", "ocird.toml:4:9", "at most"),
    ("[guardrails]\ngrace = '-1d'", "ocird.toml:4:9", "not a duration"),
    ("[guardrails]\ngrace = '14'", "ocird.toml:4:9", "not a duration"),
    ("[guardrails]\ngrace = '18446744073709551615s'", "ocird.toml:4:9", "at most"),
    ("[limits]\nmax_per_pass = 0", "ocird.toml:4:16", "from 1 to"),
    ("[limits]\nmax_per_day = 4294967297", "ocird.toml:4:15", "from 1 to"),
    ("[[in_use.files]]\nrepositories = ['*']", "ocird.toml:3:", "needs path"),
    ("[[in_use.files]]\npath = 'a'", "ocird.toml:3:", "needs repositories"),
    ("[[in_use.files]]\npath = '*/a'\nrepositories = ['*']", "ocird.toml:4:8", "last component"),
    ("[[in_use.files]]\npath = 'a['\nrepositories = ['*']", "ocird.toml:4:8", "is not a glob"),
    ("[[in_use.files]]\npath = 'a'\nrepositories = ['*', '*']", "ocird.toml:5:22", "twice"),
    ("[[in_use.files]]\npath = 'a'\nrepositories = ['']", "ocird.toml:5:17", "never \"all\""),
    ("[[in_use.files]]\npath = 'a'\nrepositories = ['[a']", "ocird.toml:5:17", "not a glob"),
    (
        "[[in_use.files]]\npath = 'a'\nrepositories = ['*']\n[[in_use.files]]\npath = 'a'\nrepositories = ['*']",
        "ocird.toml:6:",
        "above already",
    ),
    ("[projects]", "ocird.toml:3:", "gives nothing to anybody"),
    ("[projects.mgh]", "ocird.toml:3:", "needs repositories"),
    ("[projects.mgh]\nrepositories = []", "ocird.toml:4:16", "never \"all\""),
    ("[projects.mgh]\nrepository = ['a']", "ocird.toml:4:1", "did you mean `repositories`"),
    ("[projects.' ']\nrepositories = ['a']", "ocird.toml:3:", "a project is 1 to 80"),
    ("[in_use]\nkeep_previous = 0", "ocird.toml:4:17", "from 1 to 20"),
    (
        "[[in_use.files]]\npath = 'a'\nrepositories = ['*']\nexpect = ['x']\nforget = ['x']",
        "ocird.toml:7:10",
        "x is expected above",
    ),
    ("[[in_use.docker]]\nrepositories = ['*']", "ocird.toml:3:", "needs socket"),
    ("[[in_use.docker]]\nsocket = '/s'", "ocird.toml:3:", "needs repositories"),
    (
        "[[in_use.docker]]\nsocket = '/s'\nrepositories = ['*']\nmax_age = '2h'",
        "ocird.toml:6:11",
        "at most 1h",
    ),
    (
        "[[in_use.docker]]\nsocket = '/s'\nrepositories = ['a']\n[[in_use.docker]]\nsocket = '/s'\nrepositories = ['b']",
        "ocird.toml:6:1",
        "the same is asked",
    ),
    ("[[in_use.prometheus]]\nrepositories = ['*']\nhost_label = 'i'", "ocird.toml:3:", "needs url"),
    (
        "[[in_use.prometheus]]\nurl = 'http://10.0.0.1'\nrepositories = ['*']\nhost_label = 'i'",
        "ocird.toml:4:7",
        "must be https",
    ),
    (
        "[[in_use.prometheus]]\nurl = 'https://p'\nrepositories = ['*']\nexpect = ['a']",
        "ocird.toml:6:10",
        "only with host_label",
    ),
    ("[[in_use.kubernetes]]\nrepositories = ['*']", "ocird.toml:3:", "needs kubeconfig"),
    (
        "[[in_use.kubernetes]]\nin_cluster = true\nkubeconfig = 'k'\nrepositories = ['*']",
        "ocird.toml:3:",
        "there is no kubeconfig",
    ),
    (
        "[[in_use.kubernetes]]\nin_cluster = true\nrevisions = 0\nrepositories = ['*']",
        "ocird.toml:5:13",
        "from 1 to 100",
    ),
    ("[in_use.prometheus]\nurl = 'x'", "ocird.toml:3:", "expected a list"),
];

#[test]
fn what_the_central_file_must_not_say_is_refused_at_its_place() {
    for (text, place, words) in CENTRAL {
        refused(central(&format!("{LEAST}{text}\n")), place, words);
    }
}

/// What stands below the first two lines of a policy, where the problem is, and words of it.
const POLICIES: &[(&str, &str, &str)] = &[
    ("[[keep]]\nname = 'a'", "3:", "needs a condition"),
    ("[[keep]]\nnewest = 5", "3:", "needs a name"),
    ("[[keep]]\nname = ' '\nnewest = 5", "4:8", "not a rule name"),
    ("[[keep]]\nname = 'a'\nnewest = 0", "5:10", "from 1 to"),
    ("[[keep]]\nname = 'a'\ntags = []", "5:8", "never \"all\""),
    ("[[keep]]\nname = 'a'\ntags = ['v*', '^prod$']", "5:15", "no name there has '^' in it"),
    ("[[keep]]\nname = 'a'\ntags = ['prod|staging']", "5:9", "has '|' in it"),
    ("[[keep]]\nname = 'a'\ntags = ['prod,staging']", "5:9", "has ',' in it"),
    ("[[keep]]\nname = 'a'\ntags = ['!tmp-*']", "5:9", "has '!' in it"),
    ("[[keep]]\nname = 'a'\ntags = ['app:prod']", "5:9", "has ':' in it"),
    ("[[keep]]\nname = 'a'\ntags = ['feature/*']", "5:9", "has '/' in it"),
    ("[[delete]]\nname = 'a'\ntags = ['v(1)']\nolder_than = '9d'", "5:9", "has '(' in it"),
    ("[[keep]]\nname = 'a'\npulled_within = '23h'", "5:17", "at least 1day"),
    ("[[keep]]\nname = 'a'\npulled_within = ''", "5:17", "not a duration"),
    ("[[keep]]\nname = 'a'\npulled_with = '30d'", "5:1", "did you mean `pulled_within`"),
    ("[[keep]]\nname = 'a'\ndigests = []", "5:11", "never \"all\""),
    ("[[keep]]\nname = 'a'\ndigests = ['sha256:abc']", "5:12", "digest"),
    ("[[keep]]\nname = 'a'\ndigests = ['*']", "5:12", "digest"),
    ("[[keep]]\nname = 'a'\nresource_tags = ['x']", "5:17", "expected"),
    ("[[keep]]\nname = 'a'\nresource_tags = {}", "5:17", "never \"all\""),
    ("[[keep]]\nname = 'a'\nresource_tags = { keep = '' }", "5:26", "empty pattern"),
    ("[[keep]]\nname = 'a'\nresource_tags = { ' ' = 'x' }", "5:25", "is named by its key"),
    ("[[keep]]\nname = 'a'\nunless_usage_above = '1MB'", "3:", "needs a condition"),
    ("[[keep]]\nname = 'a'\ngroup_by = '^(v)'", "3:", "needs a condition"),
    ("[[keep]]\nname = 'a'\ntags = ['v*']\ngroup_by = '^(v)'", "6:12", "needs newest beside it"),
    ("[[keep]]\nname = 'a'\nnewest = 9\ngroup_by = ''", "6:12", "exactly one group"),
    ("[[keep]]\nname = 'a'\nnewest = 9\ngroup_by = '^v'", "6:12", "exactly one group"),
    ("[[keep]]\nname = 'a'\nnewest = 9\ngroup_by = '^(v'", "6:12", "not a regular expression"),
    ("[[keep]]\nname = 'a'\nnewest = 9\nunless_usage_above = ''", "6:22", "is not a size"),
    ("[[keep]]\nname = 'a'\nnewest = 9\nunless_usage_above = '0MB'", "6:22", "at least 1.0 MB"),
    ("[[keep]]\nname = 'a'\nnewest = 9\nunless_usage_above = 475", "6:22", "such as \"350MB\""),
    ("[[delete]]\nname = 'a'\nolder_than = '1d'", "3:", "says what it takes"),
    ("[[delete]]\nname = 'a'\ntagged = true", "3:", "needs a bound"),
    ("[[delete]]\nname = 'a'\ntagged = false", "3:", "needs older_than"),
    ("[[delete]]\nname = 'a'\ntagged = false\ntags = ['x']", "5:10", "contradict"),
    ("[[delete]]\nname = 'a'\ntagged = true\nolder_than = '6m'", "6:14", "m is minutes"),
    ("[[delete]]\nname = 'a'\ntagged = true\nolder_then = '6d'", "6:1", "did you mean `older_than`"),
    ("[[delete]]\nname = 'a'\ntagged = true\nnot_pulled_for = '6d'", "6:18", "needs older_than beside it"),
    (
        "[[delete]]\nname = 'a'\ntagged = true\nolder_than = '9d'\nnot_pulled_for = '1h'",
        "7:18",
        "at least 1day",
    ),
    ("[[delete]]\nname = 'a'\ntagged = true\nwhile_usage_above = '0'", "6:21", "is not a size"),
    ("[[delete]]\nname = 'a'\ntagged = true\nwhile_usage_above = '0kB'", "6:21", "at least 1.0 MB"),
    ("[[delete]]\nname = 'a'\ntagged = true\nwhile_usage_above = '2000PB'", "6:21", "at most 1.0 PB"),
    ("[[delete]]\nname = 'a'\nwhile_usage_above = '350MB'", "3:", "says what it takes"),
    ("[[keep]]\nname = 'a'\nnewest = 9\n[[delete]]\nname = 'a'\ntagged = true", "7:8", "two rules"),
    ("ecr_lifecycle = 'x.json'", "3:17", "x.json cannot be read"),
    ("ecr_lifecycles = 'x.json'", "3:1", "did you mean `ecr_lifecycle`"),
    ("public = 'yes'", "3:10", "known here: observe, enforce"),
];

#[test]
fn what_a_policy_must_not_say_is_refused_at_its_place() {
    for (text, place, words) in POLICIES {
        let place = format!("policies.d/mgh.toml:{place}");
        refused(policy(&format!("{POLICY}{text}\n")), &place, words);
    }
    refused(policy("repositories = ['a']"), "policies.d/mgh.toml: ", "needs project");
    refused(policy("project = 'a'"), "policies.d/mgh.toml: ", "needs repositories");
    refused(policy("project = '\u{1b}'\nrepositories = ['a']"), "policies.d/mgh.toml:1:", "");
}
