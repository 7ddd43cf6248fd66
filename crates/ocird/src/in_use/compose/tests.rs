use super::*;

/// A directory with these files; `TAG` is `v1` in the process's own environment where it is asked for.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join("mgh").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mgh")
    }

    /// Each mention as `service: image`.
    fn images_with(&self, environment: &Environment<'_>) -> Result<Vec<String>, String> {
        let shown = |Mention { image, digest: _, by, kind: _ }: Mention| {
            let service = by.strip_prefix("compose project mgh, service ").unwrap_or(&by).to_owned();
            format!("{service}: {image}")
        };
        let root = format!("{}/", self.path().display());
        let mentions = mentions(&self.path(), environment);
        mentions
            .map(|mentions| mentions.into_iter().map(shown).collect())
            .map_err(|fault| fault.to_string().replace(&root, ""))
    }

    fn images(&self) -> Result<Vec<String>, String> {
        self.images_with(&|_| None)
    }
}

#[track_caller]
fn assert_found(found: Result<Vec<String>, String>, expected: &[&str]) {
    let mut found = found.unwrap();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn every_service_pins_its_image_whatever_its_profile() {
    let files = Files::new(&[(
        "compose.yaml",
        "services:\n  web:\n    image: lin.ocir.io/ns/mgh-website:v1\n  docs:\n    image: \"lin.ocir.io/ns/mgh-docs:v2\"\n\
         \x20   profiles: [manual]\n  local:\n    build: .\n",
    )]);
    assert_found(files.images(), &["docs: lin.ocir.io/ns/mgh-docs:v2", "web: lin.ocir.io/ns/mgh-website:v1"]);
}

#[test]
fn variables_come_from_the_environment_first_and_then_from_the_file_beside() {
    let files = Files::new(&[
        ("docker-compose.yml", "services:\n  web: {image: \"r/web:${TAG}-${ARCH:-arm}\"}\n"),
        (".env", "TAG=v7\nCOMPOSE_PROJECT_NAME=mgh\n"),
    ]);
    assert_found(files.images(), &["web: r/web:v7-arm"]);
    let environment = |name: &str| (name == "TAG").then(|| "v8".to_owned());
    assert_found(files.images_with(&environment), &["web: r/web:v8-arm"]);
}

#[test]
fn what_cannot_be_resolved_is_an_error_with_file_and_line() {
    let compose = |text: &str| vec![("compose.yaml".to_owned(), text.to_owned())];
    let with_env = |text: &str, env: &str| {
        let mut files = compose(text);
        files.push((".env".to_owned(), env.to_owned()));
        files
    };
    let web = |image: &str| format!("services:\n  web:\n    image: {image}\n");
    let cases = [
        (compose(&web("r/web:${TAG}")), "compose.yaml:3: the variable TAG is not set"),
        (compose(&web("'r/web:${TAG:?which}'")), "compose.yaml:3: TAG must be set: which"),
        (compose(&web("r/web:$")), "compose.yaml:3: \"r/web:$\" has a $ that begins no variable"),
        (with_env(&web("r/web:${TAG}"), "TAG="), "compose.yaml:3: \"r/web:\" is not the name of an image"),
        (
            with_env(&web("r/web:${TAG}"), "A=1\nTAG=${SHA}"),
            "compose.yaml:3: .env:2: the variable SHA is not set",
        ),
        (with_env(&web("r/web:1"), "TAG='"), ".env:1: a quote is not closed"),
        (
            compose("services:\n  web: {ports: [80]}\n"),
            "compose.yaml:2: service web has neither image nor build",
        ),
        (compose("services:\n  web:\n  image: [\n"), "compose.yaml:4:"),
        (
            compose("services:\n  web: {extends: {service: base}}\n"),
            "compose.yaml:2: compose.yaml has no service base",
        ),
        (compose("services:\n  web: {extends: web}\n"), "compose.yaml:2: extends lead too far"),
        (compose("include:\n  - other.yaml\n"), "other.yaml:1: cannot be read"),
        (compose("include:\n  - compose.yaml\n"), "compose.yaml:2: includes lead too far"),
        (compose("include:\n  - {path: a, env_file: b}\n"), "compose.yaml:2: an include with env_file"),
        (Vec::new(), "holds none of compose.yaml"),
    ];
    for (files, expected) in cases {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let files = if files.is_empty() { vec![("x", "")] } else { files };
        let error = Files::new(&files).images().unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn the_override_beside_is_laid_over_and_named_files_take_its_place() {
    let main = "services:\n  web: {image: r/web:1}\n  db: {image: r/db:1}\n";
    let over = "services:\n  web: {image: r/web:2}\n  db: {ports: [1]}\n";
    let files = Files::new(&[("compose.yml", main), ("compose.override.yml", over)]);
    assert_found(files.images(), &["db: r/db:1", "web: r/web:2"]);
    let files = Files::new(&[
        ("compose.yml", main),
        ("compose.override.yml", over),
        ("prod.yml", "services:\n  web: {image: r/web:3}\n"),
        (".env", "COMPOSE_FILE=compose.yml:prod.yml"),
    ]);
    assert_found(files.images(), &["db: r/db:1", "web: r/web:3"]);
}

#[test]
fn an_image_is_inherited_by_anchors_and_extends() {
    let files = Files::new(&[
        (
            "compose.yaml",
            "x-base: &base {image: \"r/base:1\"}\nservices:\n  a: {<<: *base}\n  b: {extends: a}\n\
             \x20 c: {extends: {file: more/other.yaml, service: d}}\n",
        ),
        ("more/other.yaml", "services:\n  d: {extends: {service: e}}\n  e: {image: \"r/e:${TAG:-2}\"}\n"),
    ]);
    assert_found(files.images(), &["a: r/base:1", "b: r/base:1", "c: r/e:2"]);
}

#[test]
fn included_projects_count_with_their_own_variables_under_those_of_whoever_includes() {
    let files = Files::new(&[
        ("compose.yaml", "include: [sub/compose.yaml, {path: sub/two.yaml}]\nservices: {}\n"),
        (".env", "OUTER=o"),
        ("sub/compose.yaml", "name: s\nservices:\n  x: {image: \"r/x:${OUTER}-${INNER}\"}\n"),
        ("sub/two.yaml", "name: s\nservices:\n  y: {image: r/y}\n"),
        ("sub/.env", "INNER=i\nOUTER=never"),
    ]);
    let images = files.images().unwrap();
    assert_eq!(images, ["compose project s, service x: r/x:o-i", "compose project s, service y: r/y"]);
}

#[test]
fn images_that_are_mounted_count_also_those_of_a_service_that_is_extended() {
    let files = Files::new(&[
        (
            "compose.yaml",
            "services:\n  web:\n    image: r/web:1\n    extends: {file: base.yaml, service: base}\n    volumes:\n\
             \x20     - data:/data\n      - {type: image, source: \"r/model:${TAG}\", target: /m}\n\
             \x20     - {type: bind, source: /srv, target: /s}\n",
        ),
        (
            "base.yaml",
            "services:\n  base:\n    build: .\n    volumes: [{type: image, source: r/rules:2, target: /r}]\n",
        ),
        (".env", "TAG=v7\n"),
    ]);
    assert_found(files.images(), &["web: r/model:v7", "web: r/rules:2", "web: r/web:1"]);
    let nameless = Files::new(&[(
        "compose.yaml",
        "services:\n  web:\n    image: r/web:1\n    volumes: [{type: image, source: \"\", target: /m}]\n",
    )]);
    assert!(nameless.images().unwrap_err().contains("compose.yaml:4: \"\" is not the name of an image"));
}

#[test]
fn services_that_come_by_a_merge_count_and_what_is_built_may_inherit_its_image() {
    let files = Files::new(&[(
        "compose.yaml",
        "x-common: &common\n  cache: {image: \"r/cache:1\"}\n  web: {image: \"r/web:0\"}\n\
         services:\n  <<: *common\n  web: {image: \"r/web:1\"}\n  base: {image: \"r/base:1\"}\n\
         \x20 built: {build: ., extends: {service: base}}\n",
    )]);
    assert_found(files.images(), &["base: r/base:1", "built: r/base:1", "cache: r/cache:1", "web: r/web:1"]);
}

#[test]
fn a_second_document_is_refused() {
    let two = "services: {web: {image: r/web:1}}\n---\nservices: {db: {image: r/db:1}}\n";
    let refused = Files::new(&[("compose.yaml", two)]).images().unwrap_err();
    assert_eq!(refused, "compose.yaml:2: a second document in one file is not understood");
}
