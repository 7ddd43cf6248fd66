-- The first schema: what the registry was seen to hold, what was decided about it, and the journal of what was done.
--
-- Every time is an integer: milliseconds since 1970-01-01 UTC. Every digest is the 32 bytes of its SHA-256. What the
-- registry said of an image is kept word for word as JSON, because a re-read is compared with it; ocird's own facts are
-- columns. What does not change from pass to pass is not written in every pass: a steady pass adds one row to `passes`,
-- and an hour one row per repository to `usage_samples`.
--
-- Later schemas only add. A file with another application_id, or with a newer schema, is refused.

-- "ocir" in ASCII, so that file(1) and a person see whose file it is.
PRAGMA application_id = 1868786034;

-- The store itself: exactly one row.
CREATE TABLE store (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    -- Random; a store that was lost and made anew is another one.
    identity   BLOB    NOT NULL CHECK (length(identity) = 16),
    created_at INTEGER NOT NULL,
    -- Grows with every opening. A process whose epoch is not this one has been overtaken and may not write.
    epoch      INTEGER NOT NULL,
    -- The newest time that anything was written at; a clock that is behind it went back.
    newest_at  INTEGER,
    -- What a check for writability counts up: a real write that says nothing.
    n_checks   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE repositories (
    id               INTEGER PRIMARY KEY,
    ocid             TEXT    NOT NULL UNIQUE,
    name             TEXT    NOT NULL,
    -- Where it lives and whether anybody may pull; known once it has been read whole.
    compartment      TEXT,
    is_public        INTEGER CHECK (is_public IN (0, 1)),
    first_seen_at    INTEGER NOT NULL,
    last_seen_at     INTEGER NOT NULL,
    -- The last time it was read whole. Every image without gone_at was last seen then.
    last_complete_at INTEGER
) STRICT;

CREATE TABLE images (
    id            INTEGER PRIMARY KEY,
    repository    INTEGER NOT NULL REFERENCES repositories (id),
    ocid          TEXT    NOT NULL UNIQUE,
    digest        BLOB    NOT NULL CHECK (length(digest) = 32),
    -- An image that comes back after it was gone is seen for the first time again: younger is safer.
    first_seen_at INTEGER NOT NULL,
    -- Both null while it is there. Set when a complete listing no longer shows it.
    last_seen_at  INTEGER,
    gone_at       INTEGER,
    -- The verdict that holds, so that a pass can tell whether its own is another.
    decision      TEXT CHECK (decision IN ('keep', 'delete')),
    reason        TEXT,
    detail        TEXT,
    -- When the details were read, and the tags that the rows of the list showed then (a JSON array).
    read_at       INTEGER NOT NULL,
    row_tags      TEXT    NOT NULL,
    -- What the registry said, as a JSON object, without what has a column here.
    details       TEXT    NOT NULL,
    -- 40 bytes a layer: 32 of digest, 8 of size, big end first. As JSON it would be 95, and layers are most of an image.
    layers        BLOB    NOT NULL CHECK (length(layers) % 40 = 0)
) STRICT;

-- A pass asks for what is there, and history grows for ever beside it.
CREATE INDEX images_present ON images (repository) WHERE gone_at IS NULL;

-- Which tag was on which image when: one row for each unbroken stretch.
CREATE TABLE tags (
    image         INTEGER NOT NULL REFERENCES images (id),
    tag           TEXT    NOT NULL,
    first_seen_at INTEGER NOT NULL,
    -- When the registry says that it was attached.
    attached_at   INTEGER,
    -- Null while it is there.
    gone_at       INTEGER,
    PRIMARY KEY (image, tag, first_seen_at)
) STRICT, WITHOUT ROWID;

-- Manifests by digest: fetched once in a digest's life, because a fetch may count as a pull.
CREATE TABLE manifests (
    id         INTEGER PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    media_type TEXT    NOT NULL,
    too_large  INTEGER NOT NULL CHECK (too_large IN (0, 1)),
    -- What it refers to, as a JSON object; kept for ever, so that families of the past can be told.
    content    TEXT    NOT NULL,
    -- Whether its bytes are still here, and when they go; the latter is null while an image has this digest.
    is_held    INTEGER NOT NULL CHECK (is_held IN (0, 1)),
    expires_at INTEGER,
    UNIQUE (repository, digest)
) STRICT;

CREATE INDEX manifests_held ON manifests (repository) WHERE is_held = 1;
CREATE INDEX manifests_expiring ON manifests (expires_at) WHERE expires_at IS NOT NULL;

-- The bytes stand apart because they go: SQLite gives a page back when a row is deleted, but a row that was made
-- shorter leaves its page nearly empty for ever.
CREATE TABLE manifest_bytes (
    manifest INTEGER PRIMARY KEY REFERENCES manifests (id),
    bytes    BLOB    NOT NULL
) STRICT;

CREATE TABLE passes (
    id          INTEGER PRIMARY KEY,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    mode        TEXT    NOT NULL CHECK (mode IN ('observe', 'enforce')),
    -- How it ended: a word of the pass.
    result      TEXT    NOT NULL
) STRICT;

-- Every change of a verdict: the pass that changed it, and what it became.
CREATE TABLE verdicts (
    image    INTEGER NOT NULL REFERENCES images (id),
    pass     INTEGER NOT NULL REFERENCES passes (id),
    decision TEXT    NOT NULL CHECK (decision IN ('keep', 'delete')),
    -- A word of the fixed list of reasons.
    reason   TEXT    NOT NULL,
    -- The rule, the user, the parent: whatever the reason names.
    detail   TEXT,
    PRIMARY KEY (image, pass)
) STRICT, WITHOUT ROWID;

-- Usage over time: written when it differs from the sample before, and once an hour in any case.
CREATE TABLE usage_samples (
    repository    INTEGER NOT NULL REFERENCES repositories (id),
    at            INTEGER NOT NULL,
    -- ocird's own account, null while a layer is not known; and the service's figure, which lags.
    size          INTEGER,
    reported_size INTEGER,
    n_images      INTEGER NOT NULL,
    n_tags        INTEGER NOT NULL,
    PRIMARY KEY (repository, at)
) STRICT, WITHOUT ROWID;

-- The families that rules select now, since when and how often in a row. Replaced as a whole by each pass.
CREATE TABLE marks (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    head       BLOB    NOT NULL CHECK (length(head) = 32),
    rule       TEXT    NOT NULL,
    -- The fingerprint of policy, guardrails and planner; the 64 bits as a signed integer.
    policy     INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    n_passes   INTEGER NOT NULL,
    PRIMARY KEY (repository, head)
) STRICT, WITHOUT ROWID;

-- The journal: one row before each deletion, with everything that is needed to undo it.
CREATE TABLE intents (
    -- Never used twice, even if rows could go.
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    -- The epoch of the process that meant it.
    epoch      INTEGER NOT NULL,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    -- The repository's name at that time, for people.
    name       TEXT    NOT NULL,
    image      TEXT    NOT NULL,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    -- A JSON object: each tag with its time or null.
    tags       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    etag       TEXT    NOT NULL,
    head       BLOB    NOT NULL CHECK (length(head) = 32),
    -- 32 bytes for each of the other members of the family.
    members    BLOB    NOT NULL CHECK (length(members) % 32 = 0),
    rule       TEXT    NOT NULL,
    evidence   TEXT    NOT NULL
) STRICT;

CREATE INDEX intents_by_time ON intents (at);

-- The manifests of intents, for undoing: the one part of the journal that goes with time, and only after the outcome.
-- Every open intent has one.
CREATE TABLE intent_manifests (
    intent INTEGER PRIMARY KEY REFERENCES intents (id),
    bytes  BLOB    NOT NULL
) STRICT;

-- How each intent ended: at most one row each, and never another.
CREATE TABLE outcomes (
    intent INTEGER PRIMARY KEY REFERENCES intents (id),
    -- A word of OutcomeKind, and for 'failed' the kind of failure. The list of words is not checked here: it may grow,
    -- and a schema that only adds could not change the check.
    kind   TEXT    NOT NULL,
    error  TEXT    CHECK ((error IS NOT NULL) = (kind = 'failed')),
    at     INTEGER NOT NULL,
    detail TEXT    NOT NULL
) STRICT;

CREATE INDEX outcomes_by_time ON outcomes (at);

-- Members of families whose head ocird deleted: they follow, whatever their own age. A row goes when the member went,
-- and when the head or the member came back.
CREATE TABLE rests (
    repository INTEGER NOT NULL REFERENCES repositories (id),
    member     BLOB    NOT NULL CHECK (length(member) = 32),
    head       BLOB    NOT NULL CHECK (length(head) = 32),
    intent     INTEGER NOT NULL REFERENCES intents (id),
    PRIMARY KEY (repository, member)
) STRICT, WITHOUT ROWID;

-- The journal only grows. These refuse in the file itself, whoever writes to it and with whatever tool. An INSERT OR
-- REPLACE removes without asking the triggers on DELETE, hence those on INSERT.
CREATE TRIGGER intents_stay BEFORE DELETE ON intents
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an intent is never removed');
END;

CREATE TRIGGER intents_do_not_change BEFORE UPDATE ON intents
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an intent never changes');
END;

CREATE TRIGGER intents_are_not_replaced BEFORE INSERT ON intents
WHEN EXISTS (SELECT 1 FROM intents WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an intent is never replaced');
END;

CREATE TRIGGER manifests_of_open_intents_stay BEFORE DELETE ON intent_manifests
WHEN NOT EXISTS (SELECT 1 FROM outcomes WHERE intent = OLD.intent)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: the manifest of an open intent stays');
END;

CREATE TRIGGER manifests_of_intents_do_not_change BEFORE UPDATE ON intent_manifests
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: the manifest of an intent never changes');
END;

CREATE TRIGGER manifests_of_intents_are_not_replaced BEFORE INSERT ON intent_manifests
WHEN EXISTS (SELECT 1 FROM intent_manifests WHERE intent = NEW.intent)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: the manifest of an intent is never replaced');
END;

CREATE TRIGGER outcomes_stay BEFORE DELETE ON outcomes
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an outcome is never removed');
END;

CREATE TRIGGER outcomes_do_not_change BEFORE UPDATE ON outcomes
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an outcome never changes');
END;

CREATE TRIGGER outcomes_are_not_replaced BEFORE INSERT ON outcomes
WHEN EXISTS (SELECT 1 FROM outcomes WHERE intent = NEW.intent)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an intent ends once');
END;
