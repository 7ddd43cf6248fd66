//! The IAM statements that ocird needs, with the real compartments in them, and who they must be about.
//! <https://docs.oracle.com/en-us/iaas/Content/Identity/Reference/registrypolicyreference.htm>
//!
//! They are the least: listing takes `inspect`, reading an image or its manifest takes `read`, and deleting and
//! restoring take one permission of `manage`, each narrowed to the one operation and to names of repositories.

use ocird_model::CompartmentId;
use ocird_oci::Principal;

use super::step::Step;

/// Who the statements are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A dynamic group that holds the instance, where its OCID is known.
    Instance(Option<String>),
    /// A group that holds the user, where the OCID is known.
    User(Option<String>),
}

/// What a statement allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// To list repositories and images.
    Inspect,
    /// To read images and pull manifests.
    Read,
    /// To delete images, and nothing else.
    DeleteImages,
    /// To bring images back, and nothing else.
    RestoreImages,
}

impl Subject {
    /// The subject of statements for this principal.
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Instance { instance, .. } => Self::Instance(instance.clone()),
            Principal::User { user, .. } => Self::User(user.clone()),
        }
    }

    /// The statement, ready to be copied but for what stands in `<>`.
    pub(crate) fn statement(&self, right: Right, compartment: Option<&CompartmentId>) -> String {
        let who = match self {
            Self::Instance(_) => "dynamic-group <group>",
            Self::User(_) => "group <group>",
        };
        let (verb, operation) = match right {
            Right::Inspect => ("inspect", None),
            Right::Read => ("read", None),
            Right::DeleteImages => ("manage", Some("DeleteContainerImage")),
            Right::RestoreImages => ("manage", Some("RestoreContainerImage")),
        };
        // Without a name it would be every repository of the compartment.
        let condition = operation.map_or_else(String::new, |operation| {
            format!(
                " where all {{target.repo.name = /<names>*/, request.permission = 'REPOSITORY_UPDATE', \
                 request.operation = '{operation}'}}"
            )
        });
        let compartment = compartment.map_or_else(|| "<compartment>".to_owned(), |ocid| format!("id {ocid}"));
        format!("Allow {who} to {verb} repos in compartment {compartment}{condition}")
    }

    /// The step with the statements to add and who must be in the group.
    pub(crate) fn advise<'c>(
        &self,
        step: Step,
        right: Right,
        compartments: impl IntoIterator<Item = &'c CompartmentId>,
    ) -> Step {
        let mut statements: Vec<String> =
            compartments.into_iter().map(|compartment| self.statement(right, Some(compartment))).collect();
        if statements.is_empty() {
            statements.push(self.statement(right, None));
        }
        let step = step.and_do("A policy that allows it:");
        let step = statements.into_iter().fold(step, Step::and_copy);
        match self {
            Self::Instance(Some(instance)) => step
                .and_do("The group is one with this matching rule:")
                .and_copy(format!("instance.id = '{instance}'")),
            Self::Instance(None) => step.and_do("The group is one that matches this instance."),
            Self::User(Some(user)) => step.and_do(format!("The group is one with the user {user}.")),
            Self::User(None) => step.and_do("The group is one with the user of the profile."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::Advice;
    use super::*;

    #[test]
    fn the_statements_give_one_right_each_and_never_more() {
        let compartment = "ocid1.compartment.oc1..a".parse().unwrap();
        let instance = Subject::Instance(None);
        insta::assert_snapshot!(
            [Right::Inspect, Right::Read, Right::DeleteImages, Right::RestoreImages]
                .map(|right| instance.statement(right, Some(&compartment)))
                .join("\n"),
            @r"
        Allow dynamic-group <group> to inspect repos in compartment id ocid1.compartment.oc1..a
        Allow dynamic-group <group> to read repos in compartment id ocid1.compartment.oc1..a
        Allow dynamic-group <group> to manage repos in compartment id ocid1.compartment.oc1..a where all {target.repo.name = /<names>*/, request.permission = 'REPOSITORY_UPDATE', request.operation = 'DeleteContainerImage'}
        Allow dynamic-group <group> to manage repos in compartment id ocid1.compartment.oc1..a where all {target.repo.name = /<names>*/, request.permission = 'REPOSITORY_UPDATE', request.operation = 'RestoreContainerImage'}
        "
        );
        let user = Subject::User(None).statement(Right::Read, None);
        assert_eq!(user, "Allow group <group> to read repos in compartment <compartment>");
    }

    #[test]
    fn the_statements_are_those_of_the_policy_text() {
        let text = include_str!("../../../../deploy/iam/policy.txt");
        let is_ours =
            |line: &&str| line.starts_with("Allow dynamic-group <group>") && line.contains(" repos ");
        let written: Vec<&str> = text.lines().filter(is_ours).collect();
        let instance = Subject::Instance(None);
        assert_eq!(
            written,
            [Right::Inspect, Right::Read, Right::DeleteImages, Right::RestoreImages]
                .map(|right| instance.statement(right, None))
        );
    }

    #[test]
    fn the_group_is_told_by_what_is_known() {
        let last = |subject: Subject| subject.advise(Step::ok("a", "b"), Right::Read, []).advice.pop();
        for (subject, told) in [
            (Subject::Instance(Some("ocid1.instance.x".to_owned())), "instance.id = 'ocid1.instance.x'"),
            (Subject::Instance(None), "The group is one that matches this instance."),
            (Subject::User(Some("ocid1.user.x".to_owned())), "The group is one with the user ocid1.user.x."),
            (Subject::User(None), "The group is one with the user of the profile."),
        ] {
            let (Advice::Do(text) | Advice::Copy(text)) = last(subject).unwrap();
            assert_eq!(text, told);
        }
    }
}
