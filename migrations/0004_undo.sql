-- Proofs after the act, holds made by hand, and the journal of what was brought back.

-- A proof is scheduled in the very transaction that records a deletion, so that no crash and no restart loses it: at once,
-- after an hour, after a day. One row of each kind serves all deletions of a batch.
CREATE TABLE proofs (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    -- A word of ProofKind: 'at_once', 'after_an_hour', 'after_a_day'.
    kind      TEXT    NOT NULL,
    -- The first and the last deletion it is about, and how many there are.
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    n_deleted INTEGER NOT NULL,
    -- Not before this; it moves with the last deletion.
    due_at    INTEGER NOT NULL,
    -- All null until it is made. A word of ProofResult, and for people what was found.
    made_at   INTEGER,
    result    TEXT,
    detail    TEXT,
    CHECK ((made_at IS NULL) = (result IS NULL) AND (made_at IS NULL) = (detail IS NULL))
) STRICT;

CREATE INDEX proofs_due ON proofs (kind, first_at) WHERE made_at IS NULL;

CREATE TRIGGER proofs_stay BEFORE DELETE ON proofs
BEGIN
    SELECT RAISE(ABORT, 'a proof is never removed');
END;

CREATE TRIGGER proofs_are_made_once BEFORE UPDATE ON proofs
WHEN OLD.made_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a proof is made once');
END;

-- Holds: keep rules made by hand. By the name of the repository and not by its OCID: one that was made anew under the same
-- name is to the people who hold something there the same. A row is only ever released, never removed.
CREATE TABLE holds (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    repository  TEXT    NOT NULL,
    -- Exactly one of the two.
    digest      BLOB    CHECK (length(digest) = 32),
    tag         TEXT,
    placed_by   TEXT    NOT NULL,
    why         TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    -- Null for one that only a release ends.
    until       INTEGER,
    released_at INTEGER,
    released_by TEXT,
    CHECK ((digest IS NULL) <> (tag IS NULL)),
    CHECK ((released_at IS NULL) = (released_by IS NULL))
) STRICT;

CREATE INDEX holds_standing ON holds (repository) WHERE released_at IS NULL;

CREATE TRIGGER holds_stay BEFORE DELETE ON holds
BEGIN
    SELECT RAISE(ABORT, 'a hold is released, never removed');
END;

CREATE TRIGGER holds_are_only_released BEFORE UPDATE ON holds
WHEN OLD.released_at IS NOT NULL OR NEW.released_at IS NULL OR NEW.id IS NOT OLD.id
    OR NEW.repository IS NOT OLD.repository OR NEW.digest IS NOT OLD.digest OR NEW.tag IS NOT OLD.tag
    OR NEW.placed_by IS NOT OLD.placed_by OR NEW.why IS NOT OLD.why OR NEW.since IS NOT OLD.since
    OR NEW.until IS NOT OLD.until
BEGIN
    SELECT RAISE(ABORT, 'a hold is released once, and nothing else of it changes');
END;

-- The journal of undoing: one row before each call that brings back an image or puts back a tag, and how it ended.
CREATE TABLE restores (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    -- The epoch of the process that meant it.
    epoch  INTEGER NOT NULL,
    -- The deletion that it undoes.
    intent INTEGER NOT NULL REFERENCES intents (id),
    -- 'image', with the tag that comes back along with it or none; or 'tag'.
    step   TEXT    NOT NULL,
    tag    TEXT,
    asked_by TEXT  NOT NULL,
    why    TEXT    NOT NULL,
    CHECK (step = 'image' OR tag IS NOT NULL)
) STRICT;

CREATE INDEX restores_by_intent ON restores (intent);

CREATE TABLE restore_outcomes (
    restore INTEGER PRIMARY KEY REFERENCES restores (id),
    -- A word of RestoreOutcomeKind, and for 'failed' the kind of failure.
    kind    TEXT    NOT NULL,
    error   TEXT    CHECK ((error IS NOT NULL) = (kind = 'failed')),
    at      INTEGER NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;

CREATE TRIGGER restores_stay BEFORE DELETE ON restores
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a restore is never removed');
END;

CREATE TRIGGER restores_do_not_change BEFORE UPDATE ON restores
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a restore never changes');
END;

CREATE TRIGGER restores_are_not_replaced BEFORE INSERT ON restores
WHEN EXISTS (SELECT 1 FROM restores WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a restore is never replaced');
END;

CREATE TRIGGER restore_outcomes_stay BEFORE DELETE ON restore_outcomes
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an outcome is never removed');
END;

CREATE TRIGGER restore_outcomes_do_not_change BEFORE UPDATE ON restore_outcomes
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: an outcome never changes');
END;

CREATE TRIGGER restore_outcomes_are_not_replaced BEFORE INSERT ON restore_outcomes
WHEN EXISTS (SELECT 1 FROM restore_outcomes WHERE restore = NEW.restore)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only: a restore ends once');
END;
