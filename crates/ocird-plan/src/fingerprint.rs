//! One number for everything that decides the fate of a repository's images (S-14). It is stored beside each mark, so it
//! must be the same over runs, machines and compiler versions. It is no secret and no defence: FNV-1a is enough.
//! <http://www.isthe.com/chongo/tech/comp/fnv/>

use chrono::TimeDelta;
use ocird_model::{
    Bytes, DeleteRule, EcrCount, EcrPattern, EcrRule, EcrTags, EffectivePolicy, Guardrails, KeepRule,
    Patterns, Policy, Selects,
};

/// The version of the planner's semantics. It goes up whenever the same inventory and policy could lead to other
/// verdicts, and so restarts the grace of every mark (S-14).
pub const PLANNER_VERSION: u32 = 4;

/// The fingerprint of what governs one repository. Two policies that read differently have different
/// fingerprints, even where they would decide alike: restarting a grace only ever waits longer.
pub fn fingerprint(policy: EffectivePolicy<'_>, guardrails: &Guardrails) -> u64 {
    let mut hash = Fnv::new();
    hash.number(u64::from(PLANNER_VERSION));
    hash.guardrails(*guardrails);
    match policy {
        EffectivePolicy::None => hash.word("none"),
        EffectivePolicy::One(policy) => hash.policy(policy),
        EffectivePolicy::Contested(first, second) => {
            hash.word("contested");
            hash.policy(first);
            hash.policy(second);
        }
    }
    hash.0
}

/// FNV-1a over fields that carry their own length, so that no two different policies spell the same bytes.
struct Fnv(u64);

impl Fnv {
    /// The offset basis of 64-bit FNV.
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    /// The prime of 64-bit FNV.
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    const fn new() -> Self {
        Self(Self::BASIS)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn word(&mut self, word: &str) {
        self.number(word.len() as u64);
        self.bytes(word.as_bytes());
    }

    fn span(&mut self, span: TimeDelta) {
        self.bytes(&span.num_seconds().to_le_bytes());
        self.bytes(&span.subsec_nanos().to_le_bytes());
    }

    fn size(&mut self, size: Bytes) {
        self.number(size.0);
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.word("absent"),
            Some(value) => {
                self.word("present");
                write(self, value);
            }
        }
    }

    fn patterns(&mut self, patterns: &Patterns) {
        self.number(patterns.iter().count() as u64);
        for pattern in patterns.iter() {
            self.word(pattern.as_str());
        }
    }

    fn guardrails(&mut self, guardrails: Guardrails) {
        let Guardrails { min_newest, min_age, grace } = guardrails;
        self.number(u64::from(min_newest.get()));
        self.span(min_age);
        self.span(grace);
    }

    fn policy(&mut self, policy: &Policy) {
        let Policy { project, repositories, keep, delete, enforce_public, enforce_signed } = policy;
        self.word(project);
        self.patterns(repositories);
        self.number(keep.len() as u64);
        for rule in keep {
            self.keep(rule);
        }
        self.number(delete.len() as u64);
        for rule in delete {
            self.delete(rule);
        }
        self.number(u64::from(*enforce_public));
        self.number(u64::from(*enforce_signed));
    }

    fn keep(&mut self, rule: &KeepRule) {
        let KeepRule {
            name,
            tags,
            newest,
            group_by,
            newer_than,
            pulled_within,
            digests,
            resource_tags,
            unless_usage_above,
        } = rule;
        self.word(name.as_str());
        self.optional(tags.as_ref(), Self::patterns);
        self.optional(*newest, |hash, newest| hash.number(u64::from(newest.get())));
        self.optional(group_by.as_ref(), |hash, group_by| hash.word(group_by.as_str()));
        self.optional(*newer_than, Self::span);
        self.optional(*pulled_within, Self::span);
        self.optional(digests.as_ref(), |hash, digests| {
            hash.number(digests.len() as u64);
            for digest in digests {
                hash.bytes(digest.as_bytes());
            }
        });
        self.optional(resource_tags.as_ref(), |hash, tags| {
            hash.number(tags.iter().count() as u64);
            for (name, value) in tags.iter() {
                hash.word(name);
                hash.word(value.as_str());
            }
        });
        self.optional(*unless_usage_above, Self::size);
    }

    fn ecr(&mut self, rule: &EcrRule) {
        let EcrRule { priority, name, tags, expires } = rule;
        self.number(u64::from(priority.get()));
        self.word(name.as_str());
        match tags {
            EcrTags::Untagged => self.word("untagged"),
            EcrTags::Any => self.word("any"),
            EcrTags::Prefixes(prefixes) => self.words("prefixes", prefixes.iter().map(String::as_str)),
            EcrTags::Patterns(patterns) => self.words("patterns", patterns.iter().map(EcrPattern::as_str)),
        }
        match expires {
            EcrCount::BeyondNewest(n_kept) => {
                self.word("newest");
                self.number(u64::from(n_kept.get()));
            }
            EcrCount::DaysSincePush(days) => {
                self.word("days");
                self.number(u64::from(days.get()));
            }
        }
    }

    fn words<'w>(&mut self, kind: &str, words: impl ExactSizeIterator<Item = &'w str>) {
        self.word(kind);
        self.number(words.len() as u64);
        for word in words {
            self.word(word);
        }
    }

    fn delete(&mut self, rule: &DeleteRule) {
        let DeleteRule { name, selects, older_than, not_pulled_for, while_usage_above } = rule;
        self.word(name.as_str());
        match selects {
            Selects::Untagged => self.word("untagged"),
            Selects::Tagged => self.word("tagged"),
            Selects::Tags(patterns) => {
                self.word("tags");
                self.patterns(patterns);
            }
            Selects::Lifecycle(selection) => {
                self.word("lifecycle");
                self.number(selection.rule() as u64);
                for rule in selection.lifecycle().rules() {
                    self.ecr(rule);
                }
            }
        }
        self.optional(*older_than, Self::span);
        self.optional(*not_pulled_for, Self::span);
        self.optional(*while_usage_above, Self::size);
    }
}
