//! Writes what a host runs into the daemon's reference file, as `ocird collect`, Ansible or CI would.
//!
//! The file is written whole and then moved into place: the daemon never sees half of one.

use std::io::{self, Write as _};
use std::path::Path;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::registry::Reference;
use crate::tenancy::Tenancy;
use crate::workload::{Activity, Deployment, WorkloadView};

impl Tenancy {
    /// Writes the reference file of one host: what runs, what is stopped, and what a rollback may want. The time inside
    /// is true time.
    pub fn write_in_use(&self, path: &Path, host: &str) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, &self.in_use(host))?;
        file.flush()?;
        file.persist(path)?;
        Ok(())
    }

    /// The content of the reference file of one host.
    pub fn in_use(&self, host: &str) -> Value {
        let settings = self.settings();
        let n_kept = if settings.writes_rollbacks { settings.rollback_keep } else { 0 };
        let prefix = format!("{}/{}", settings.registry_host(), settings.namespace);
        let references: Vec<Value> = self
            .workloads()
            .iter()
            .filter(|workload| workload.host == host)
            .flat_map(|workload| references(workload, &prefix, n_kept))
            .collect();
        json!({
            "version": 1,
            "host": host,
            "written_at": self.now().to_rfc3339_opts(SecondsFormat::Secs, true),
            "references": references,
            "complete": true,
        })
    }
}

fn references(workload: &WorkloadView, prefix: &str, n_kept: usize) -> Vec<Value> {
    let by = match workload.activity {
        Activity::Running => format!("container {}", workload.name),
        Activity::Stopped => format!("stopped container {}", workload.name),
    };
    let current = reference(&workload.current, prefix, &by);
    let earlier = workload.earlier.iter().rev().take(n_kept).map(|deployment| {
        // By digest only: the tag means something else by now.
        let pinned =
            Deployment { reference: Reference::Digest(deployment.pulled.digest), ..deployment.clone() };
        reference(&pinned, prefix, &format!("rollback of {}", workload.name))
    });
    std::iter::once(current).chain(earlier).collect()
}

fn reference(deployment: &Deployment, prefix: &str, by: &str) -> Value {
    let Deployment { repository, reference, pulled, since: _ } = deployment;
    let image = match reference {
        Reference::Tag(tag) => format!("{prefix}/{repository}:{tag}"),
        Reference::Digest(digest) => format!("{prefix}/{repository}@{digest}"),
    };
    json!({"image": image, "digest": pulled.digest.to_string(), "by": by})
}
