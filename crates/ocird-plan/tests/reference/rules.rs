//! What single rules say of single images and families, condition by condition, in the words of the policy's own types.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    Bytes, DeleteRule, Digest, EcrCount, EcrRule, EcrSelection, EcrTags, GroupBy, Image, KeepRule, Patterns,
    Repository, Selects, Tag, Target,
};
use ocird_plan::DETAILS_SERVE;

use crate::graph::{Graph, subject_in, subjects_of};
use crate::world::now;

/// One repository with what is drawn in it.
pub(crate) struct Scene<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) graph: &'a Graph,
}

impl<'a> Scene<'a> {
    pub(crate) fn image(&self, digest: Digest) -> &'a Image {
        self.repository.image(&digest).expect("the graph holds listed images only")
    }

    /// The image with everything that it reaches.
    pub(crate) fn reached(&self, digest: Digest) -> impl Iterator<Item = &'a Image> {
        self.graph.reach(digest).iter().map(|digest| self.image(*digest))
    }

    /// True for a member of a family whose head ocird deleted and the listing no longer shows.
    fn has_no_head(&self, digest: Digest) -> bool {
        self.repository.rests.get(&digest).is_some_and(|head| self.repository.image(head).is_none())
    }

    /// True for such a member that nobody has given a name.
    pub(crate) fn is_rest(&self, digest: Digest) -> bool {
        self.has_no_head(digest) && self.image(digest).tags.keys().all(|tag| subject_in(tag).is_some())
    }

    /// True for a rest that nothing holds but others of its kind.
    pub(crate) fn is_mere_rest(&self, digest: Digest) -> bool {
        self.is_rest(digest) && !self.graph.above(digest).any(|above| !self.is_rest(*above))
    }

    /// The tags of an image that tie it to nothing that is listed.
    pub(crate) fn free_tags(&self, image: &'a Image) -> impl Iterator<Item = &'a Tag> {
        let is_free =
            |tag: &&Tag| subject_in(tag).is_none_or(|subject| self.repository.image(&subject).is_none());
        image.tags.keys().filter(is_free)
    }

    /// True when a keep rule holds this image for its own sake, where this is the account.
    pub(crate) fn holds(&self, rule: &KeepRule, image: &'a Image, account: Option<Bytes>) -> bool {
        let is_in_force =
            rule.unless_usage_above.is_none_or(|line| account.is_none_or(|account| account <= line));
        let is_new = rule.newer_than.is_none_or(|span| {
            self.reached(image.digest).any(|below| age(below).is_some_and(|age| age < span))
        });
        let is_newest = rule.newest.is_none_or(|places| {
            self.is_among_newest(image, places.get(), rule.tags.as_ref(), rule.group_by.as_ref())
        });
        is_in_force && is_new && is_newest && self.is_meant(rule, image)
    }

    /// True when the image fulfils what a keep rule asks of it whatever its age, its place in an order and the account.
    pub(crate) fn is_meant(&self, rule: &KeepRule, image: &'a Image) -> bool {
        let KeepRule { tags, pulled_within, digests, resource_tags, .. } = rule;
        let has_tag = |tags: &Patterns| image.tags.keys().any(|tag| tags.matches(tag.as_str()));
        let may_be_pulled = |span: TimeDelta| self.reached(image.digest).any(|below| !is_quiet(below, span));
        tags.as_ref().is_none_or(has_tag)
            && pulled_within.is_none_or(may_be_pulled)
            && digests.as_ref().is_none_or(|digests| digests.contains(&image.digest))
            && resource_tags.as_ref().is_none_or(|wanted| {
                let known = image.resource_tags.as_ref().filter(|_| is_read_lately(image));
                known.is_none_or(|given| wanted.matches(given))
            })
    }

    /// True when the image is as new as the last of so many newest heads that bear a plain tag, in one of its groups. What is
    /// left of a family takes no place.
    pub(crate) fn is_among_newest(
        &self,
        image: &'a Image,
        places: u32,
        tags: Option<&Patterns>,
        group_by: Option<&GroupBy>,
    ) -> bool {
        if self.free_tags(image).next().is_none() {
            return false;
        }
        let own: BTreeSet<&str> = image.tags.keys().filter_map(|tag| group(tag, tags, group_by)).collect();
        own.into_iter().any(|wanted| {
            let is_in_group = |tag: &Tag| group(tag, tags, group_by) == Some(wanted);
            let has_place = |head: &&Image| {
                self.graph.is_head(head.digest)
                    && !self.has_no_head(head.digest)
                    && is_believable(head)
                    && head.tags.keys().any(|tag| subject_in(tag).is_none())
                    && head.tags.keys().any(is_in_group)
            };
            let heads = self.repository.images.iter().filter(has_place);
            let n_newer = heads.filter(|head| head.newest_time() > image.newest_time()).count();
            u32::try_from(n_newer).expect("a world is small") < places
        })
    }

    /// True when a delete rule selects the family of this head, where this is the account.
    pub(crate) fn selects(&self, rule: &DeleteRule, head: Digest, account: Option<Bytes>) -> bool {
        let is_in_force =
            rule.while_usage_above.is_none_or(|line| account.is_some_and(|account| account > line));
        // What is left of a family is not asked for tags and age again.
        let asked = || self.reached(head).filter(|image| !self.is_mere_rest(image.digest));
        let tags: BTreeSet<&Tag> = asked().flat_map(|image| self.free_tags(image)).collect();
        let has_own = asked().any(|image| image.digest == head && self.free_tags(image).next().is_some());
        let is_tagged = has_own || tags.iter().any(|tag| subject_in(tag).is_none());
        let is_about = match &rule.selects {
            Selects::Untagged => tags.is_empty(),
            Selects::Tagged => is_tagged && !self.speaks_abroad(head),
            Selects::Tags(patterns) => is_tagged && tags.iter().all(|tag| patterns.matches(tag.as_str())),
            Selects::Lifecycle(selection) => self.expires(selection, head),
        };
        let is_old = |span: TimeDelta| asked().all(|image| age(image).is_some_and(|age| age >= span));
        let was_quiet =
            |span: TimeDelta| self.reached(head).all(|image| is_quiet(image, span)) && is_old(span);
        is_in_force
            && is_about
            && rule.older_than.is_none_or(is_old)
            && rule.not_pulled_for.is_none_or(was_quiet)
    }
}

/// What speaks about images of other repositories.
impl Scene<'_> {
    /// True when a head or something below it, left-overs not asked, speaks about an image that is not in the repository.
    fn speaks_abroad(&self, head: Digest) -> bool {
        let asked = self.reached(head).filter(|image| !self.is_mere_rest(image.digest));
        let mut subjects = asked.flat_map(subjects_of);
        subjects.any(|subject| self.repository.image(&subject).is_none())
    }
}

/// What a lifecycle document says of families, each of which is one image to it: with the tags of its head.
impl Scene<'_> {
    /// True when the document expires the family of this head by this very rule: the best that is about it. It speaks of what
    /// it can see, so a head that carries something with a name stays; and the age that it asks for is everything's.
    fn expires(&self, selection: &EcrSelection, head: Digest) -> bool {
        let rules = selection.lifecycle().rules();
        let rule = &rules[selection.rule()];
        let best = rules.iter().position(|rule| self.is_about(rule, head));
        let mut carried = self.reached(head).filter(|image| image.digest != head);
        if best != Some(selection.rule())
            || carried.any(|image| self.free_tags(image).next().is_some())
            || self.pushed_at(head).is_none()
            || (matches!(rule.tags, EcrTags::Any) && self.speaks_abroad(head))
        {
            return false;
        }
        let asked = self.reached(head).filter(|image| !self.is_mere_rest(image.digest));
        let pushed_at = asked.filter_map(Image::newest_time).max();
        match rule.expires {
            EcrCount::DaysSincePush(days) => pushed_at < Some(now() - TimeDelta::days(days.get().into())),
            EcrCount::BeyondNewest(places) => {
                let heads = self.repository.images.iter().map(|image| image.digest);
                let set = heads.filter(|other| self.is_about(rule, *other));
                let n_newer = set.filter(|other| self.pushed_at(*other) > pushed_at).count();
                u32::try_from(n_newer).expect("a world is small") >= places.get()
            }
        }
    }

    fn is_about(&self, rule: &EcrRule, head: Digest) -> bool {
        let tags: Vec<&str> = self.image(head).tags.keys().map(Tag::as_str).collect();
        let is_here = |subject| self.repository.image(&subject).is_some();
        let is_of_here =
            !matches!(rule.tags, EcrTags::Any) || subjects_of(self.image(head)).into_iter().all(is_here);
        self.graph.is_head(head) && !self.is_mere_rest(head) && is_of_here && rule.tags.are_met_by(&tags)
    }

    fn pushed_at(&self, head: Digest) -> Option<DateTime<Utc>> {
        Some(self.image(head)).filter(|image| is_believable(image))?.newest_time()
    }
}

/// The group that a tag puts its image in; everything is one group where nothing groups.
fn group<'t>(tag: &'t Tag, tags: Option<&Patterns>, group_by: Option<&GroupBy>) -> Option<&'t str> {
    if tags.is_some_and(|tags| !tags.matches(tag.as_str())) {
        return None;
    }
    group_by.map_or(Some(""), |group_by| group_by.group(tag.as_str()))
}

/// True when every time is there, after 2012 and at most five minutes ahead.
pub(crate) fn is_believable(image: &Image) -> bool {
    image.times().all(|time| time.is_some_and(is_believable_time))
}

fn is_believable_time(time: DateTime<Utc>) -> bool {
    const NEW_YEAR_OF_2013: i64 = 1_356_998_400;
    let earliest = DateTime::from_timestamp(NEW_YEAR_OF_2013, 0).expect("it is an instant");
    earliest <= time && time <= now() + TimeDelta::minutes(5)
}

/// How old the image is by the newest of its times.
pub(crate) fn age(image: &Image) -> Option<TimeDelta> {
    image.newest_time().map(|time| now() - time)
}

/// True when what is known of pulls and resource tags is young enough to be believed.
fn is_read_lately(image: &Image) -> bool {
    image.read_at.is_some_and(|read_at| read_at <= now() && now() - read_at < DETAILS_SERVE)
}

/// True when the image was certainly not pulled for this long.
fn is_quiet(image: &Image, span: TimeDelta) -> bool {
    let is_long_ago = |pulled_at| is_believable_time(pulled_at) && now() - pulled_at >= span;
    is_read_lately(image) && image.last_pulled_at.is_none_or(is_long_ago)
}

/// True when this use means the image.
pub(crate) fn is_used(target: &Target, image: &Image) -> bool {
    target.digest == Some(image.digest) || target.tag.as_ref().is_some_and(|tag| image.tags.contains_key(tag))
}
