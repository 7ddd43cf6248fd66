//! Who answers for a repository: no policy, two of them, new policies that were refused; and who may pull from it.

use ocird_model::{EffectivePolicy, Finding, FindingKind, RepositoryRow, Severity, Subject};

use super::finding;
use super::look::{Look, repository};
use super::words::cut;

pub(super) fn find(look: &Look<'_>, found: &mut Vec<Finding>) {
    for row in look.rows {
        let governing = look.policies.governing(&row.name);
        found.extend(governed(row, governing));
        if row.is_public {
            found.push(public(row, governing));
        }
    }
    found.extend(look.refused_policies.map(|why| {
        finding(
            FindingKind::PoliciesRefused,
            Subject::Tenancy,
            Severity::Problem,
            format!("The new policies are refused, and the old ones stay in force: {}", cut(why)),
            "Mend the file as `ocird check` says, and reload; ocird would not start with it.",
        )
    }));
}

fn governed(row: &RepositoryRow, governing: EffectivePolicy<'_>) -> Option<Finding> {
    let name = &row.name;
    match governing {
        EffectivePolicy::One(_) => None,
        EffectivePolicy::None => Some(finding(
            FindingKind::NoPolicy,
            repository(name),
            Severity::Warning,
            format!("{name} has no policy, so nothing of it ever goes."),
            "Have its project claim it in a file of policies.d, or delete the repository.",
        )),
        EffectivePolicy::Contested(one, other) => Some(finding(
            FindingKind::Contested,
            repository(name),
            Severity::Problem,
            format!(
                "{name} is claimed by the policies of {} and {}, so nothing of it goes.",
                one.project, other.project
            ),
            "Have the two projects agree: exactly one policy governs a repository.",
        )),
    }
}

/// Who pulls from a public repository cannot be known (S-35). Where the owner says that this is meant, it is still told.
fn public(row: &RepositoryRow, governing: EffectivePolicy<'_>) -> Finding {
    let is_meant = match governing {
        EffectivePolicy::One(policy) => policy.enforce_public,
        EffectivePolicy::None | EffectivePolicy::Contested(_, _) => false,
    };
    let name = &row.name;
    let (severity, what, remedy) = if is_meant {
        (
            Severity::Info,
            format!("Anybody may pull from {name}, and its policy deletes from it all the same."),
            "Nothing, if strangers may lose images; otherwise take public = \"enforce\" out of the policy.",
        )
    } else {
        (
            Severity::Warning,
            format!("Anybody may pull from {name}, so it is only observed."),
            "Make it private, or say public = \"enforce\" in its policy.",
        )
    };
    finding(FindingKind::Public, repository(name), severity, what, remedy)
}
