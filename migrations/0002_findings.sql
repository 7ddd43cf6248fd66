-- Findings: what is odd, since when, and until when. And two indexes by which images are told that went by another hand.

CREATE TABLE findings (
    id            INTEGER PRIMARY KEY,
    -- A word of the fixed list of kinds; the list may grow, so it is not checked here.
    kind          TEXT    NOT NULL,
    -- What it is about: a word of the fixed list of subjects, and the name of it (blank for the tenancy).
    subject       TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    -- The two sentences as they read last.
    what          TEXT    NOT NULL,
    remedy        TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL,
    -- Both null while it stands: like an image, it was last seen in the last pass that looked. Set when a pass no
    -- longer finds it.
    last_seen_at  INTEGER,
    cleared_at    INTEGER,
    CHECK ((last_seen_at IS NULL) = (cleared_at IS NULL))
) STRICT;

-- At most one of each kind about each subject stands at a time.
CREATE UNIQUE INDEX findings_standing ON findings (kind, subject, name) WHERE cleared_at IS NULL;

-- Images that are gone, by when; and what ocird itself meant to delete, by image.
CREATE INDEX images_gone ON images (gone_at) WHERE gone_at IS NOT NULL;
CREATE INDEX intents_by_image ON intents (image);
