-- What sources said of what is in use: how much each named when it was last believed, and which images ran where, since
-- when and until when. Like marks, it may be lost: a source is then new, and a rollback finds what policies leave.

-- Whoever said what runs, as it was last heard.
CREATE TABLE in_use_speakers (
    -- The source, as the configuration names it, and the host that spoke through it; blank for the source as a whole.
    source       TEXT    NOT NULL,
    host         TEXT    NOT NULL,
    -- How many different images of this registry it named when it was last believed.
    n_images     INTEGER NOT NULL,
    -- The time that the newest answer bears.
    looked_at    INTEGER NOT NULL,
    -- All null while it is believed. It named n_before images before it named few; of the later answers this many agree.
    frozen_at    INTEGER,
    n_before     INTEGER,
    n_agreeing   INTEGER,
    PRIMARY KEY (source, host),
    CHECK ((frozen_at IS NULL) = (n_before IS NULL) AND (frozen_at IS NULL) = (n_agreeing IS NULL))
) STRICT;

-- One row for each stretch of time in which something ran from an image without a break.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    -- By name: references know no OCID, and what runs may have lost its repository.
    repository  TEXT    NOT NULL,
    digest      BLOB    NOT NULL CHECK (length(digest) = 32),
    -- What ran and where, as people are told.
    used_by     TEXT    NOT NULL,
    began_at    INTEGER NOT NULL,
    -- Null while it runs.
    ended_at    INTEGER
) STRICT;

-- At most one stretch at a time.
CREATE UNIQUE INDEX runs_present ON runs (repository, used_by, digest) WHERE ended_at IS NULL;
