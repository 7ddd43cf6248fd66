//! `ocird check --diff`: the same registry, decided by two sets of policies. One look, two plans; only what the policies and
//! guardrails say differs, whatever else stands in the other configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use ocird_model::{Decision, Image, Plan, Policies, Policy, Repository, RepositoryName, Verdict};
use serde::Serialize;

use super::CheckArgs;
use crate::cli::look::Look;
use crate::cli::sheet::Sheet;
use crate::cli::{Exit, Failure, print};
use crate::config::{self, Config, Problems};
use crate::json;
use crate::paint::{Ink, Paint};

/// The version of the JSON document. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// Everything that is decided otherwise.
#[derive(Debug, Serialize)]
struct Differences {
    schema: u32,
    at: DateTime<Utc>,
    /// Number of images that stay by this configuration and go by the other.
    more: usize,
    /// Number of images that go by this configuration and stay by the other.
    fewer: usize,
    /// Number of images of which only the reason differs.
    other_reason: usize,
    changes: Vec<Change>,
}

/// One image that stays by one set and goes by the other.
#[derive(Debug, Serialize)]
struct Change {
    repository: RepositoryName,
    digest: String,
    /// The head of its family: its own digest, unless it goes or stays with another.
    head: String,
    tags: Vec<String>,
    this: Said,
    other: Said,
}

#[derive(Debug, Serialize)]
struct Said {
    /// `keep` or `delete`.
    verdict: &'static str,
    /// A word of a fixed list.
    code: &'static str,
    reason: String,
}

/// Shows which images are decided otherwise.
pub(super) async fn diff(config: Config, other: &Path, args: &CheckArgs) -> Result<ExitCode, Failure> {
    let other = match other_policies(&config, other) {
        Ok(other) => other,
        Err(problems) => return super::refused(&problems, args.json),
    };
    // The look reads again what rules about pulls and resource tags need; if only the other set has such, for its sake.
    let asks = |policies: &Policies| policies.policies.iter().any(Policy::asks_what_no_list_shows);
    let this = config.policies.clone();
    let looked_for = if asks(&other) && !asks(&this) { &other } else { &this };
    let look = Look::at_everything(Config { policies: looked_for.clone(), ..config }, None).await?;
    let differences = Differences::between(&look, &look.plan(&this)?, &look.plan(&other)?);
    if args.json {
        print(&json::document(&differences)?);
    } else {
        print(&differences.text(config::paint()));
    }
    let differs = args.exit_code && !differences.changes.is_empty();
    Ok(if differs { Exit::Failed } else { Exit::Ok }.into())
}

/// The policies of a directory under the present settings, or those of another configuration with its guardrails.
fn other_policies(config: &Config, other: &Path) -> Result<Policies, Problems> {
    if other.is_dir() {
        config::load_policies(&Config { policies_dir: other.to_owned(), ..config.clone() })
    } else {
        config::load(other).map(|other| other.policies)
    }
}

impl Differences {
    fn between(look: &Look, this: &Plan, other: &Plan) -> Self {
        let mut differences =
            Self { schema: SCHEMA, at: look.at, more: 0, fewer: 0, other_reason: 0, changes: Vec::new() };
        for repository in look.inventory.complete() {
            let pairs = this.decisions(&repository.name).iter().zip(other.decisions(&repository.name));
            for (this, other) in pairs {
                differences.compare(repository, this, other);
            }
        }
        differences
    }

    fn compare(&mut self, repository: &Repository, this: &Decision, other: &Decision) {
        match (this.verdict.is_delete(), other.verdict.is_delete()) {
            (false, true) => self.more += 1,
            (true, false) => self.fewer += 1,
            (true, true) | (false, false) => {
                self.other_reason += usize::from(this.verdict != other.verdict);
                return;
            }
        }
        let tags = |image: &Image| image.tags.keys().map(ToString::to_string).collect();
        self.changes.push(Change {
            repository: repository.name.clone(),
            digest: this.digest.to_string(),
            head: this.head.to_string(),
            tags: repository.image(&this.digest).map(tags).unwrap_or_default(),
            this: Said::of(&this.verdict),
            other: Said::of(&other.verdict),
        });
    }

    fn text(&self, paint: Paint) -> String {
        let Self { schema: _, at: _, more, fewer, other_reason, changes } = self;
        let mut sheet = Sheet::new(paint);
        // A family is told once, by its head, where that changes too.
        let mut families: BTreeMap<(&RepositoryName, &str), usize> = BTreeMap::new();
        for change in changes {
            *families.entry((&change.repository, &change.head)).or_default() += 1;
        }
        let is_head = |change: &&Change| change.digest == change.head;
        let told: BTreeSet<(&RepositoryName, &str)> =
            changes.iter().filter(is_head).map(|change| (&change.repository, change.head.as_str())).collect();
        for Change { repository, digest, head, tags, this, other } in changes {
            let family = (repository, head.as_str());
            if digest != head && told.contains(&family) {
                continue;
            }
            let more = match families[&family] - 1 {
                0 => String::new(),
                n => format!(", and {n} more of its family"),
            };
            let digest: String = digest.trim_start_matches("sha256:").chars().take(12).collect();
            let tags = if tags.is_empty() { "untagged".to_owned() } else { tags.join(", ") };
            sheet.heading(&format!("{repository}@{digest} ({tags}){more}"));
            this.write("  this", &mut sheet);
            other.write("  other", &mut sheet);
        }
        if !changes.is_empty() {
            sheet.heading("in all");
        }
        sheet.paragraph(&format!(
            "{more} more would go by the other, {fewer} fewer; {other_reason} differ in their reason only"
        ));
        sheet.finish()
    }
}

impl Said {
    fn of(verdict: &Verdict) -> Self {
        let (word, reason) = match verdict {
            Verdict::Keep(reason) => ("keep", reason.to_string()),
            Verdict::Delete(reason) => ("delete", reason.to_string()),
        };
        Self { verdict: word, code: verdict.as_str(), reason }
    }

    fn write(&self, key: &str, sheet: &mut Sheet) {
        let Self { verdict, code: _, reason } = self;
        let ink = if *verdict == "delete" { Ink::Red } else { Ink::Green };
        sheet.inked(ink, key, &format!("{verdict}: {reason}"));
    }
}
