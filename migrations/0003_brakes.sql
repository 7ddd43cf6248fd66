-- Brakes: what stops deletion until a person lets it go on, how far a store has been trusted yet, and the plans that were too
-- large to act on without being asked. All of it outlives the process: a restart must not let anything go that was stopped.

-- Counters: exactly one row.
CREATE TABLE brakes (
    only          INTEGER PRIMARY KEY CHECK (only = 1),
    -- Unexpected answers in a row while acting, over passes and restarts; a good one begins anew.
    n_unexpected  INTEGER NOT NULL DEFAULT 0 CHECK (n_unexpected >= 0),
    -- Batches that were proved clean since this store, a reset or a restored copy began.
    n_proved      INTEGER NOT NULL DEFAULT 0 CHECK (n_proved >= 0),
    -- While a batch is under way, from before its first deletion until its proof: the latest intent before it, or 0. Found
    -- by a later batch, it was never proved.
    batch_after   INTEGER
) STRICT;

INSERT INTO brakes (only) VALUES (1);

-- Each stop, why, and who let deletion go on after it.
CREATE TABLE stops (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 'breaker': ocird or the registry is not as it should be. 'freeze': something that ocird deleted is needed.
    kind       TEXT    NOT NULL CHECK (kind IN ('breaker', 'freeze')),
    at         INTEGER NOT NULL,
    why        TEXT    NOT NULL,
    -- Both null while it stands.
    cleared_at INTEGER,
    cleared_by TEXT,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
) STRICT;

-- The first reason of each kind stands until it is cleared.
CREATE UNIQUE INDEX stops_standing ON stops (kind) WHERE cleared_at IS NULL;

-- Plans that were refused because too much would go at once. One that was never approved goes when another takes its place;
-- one that was approved stays for good, with its list: it is what somebody agreed to.
CREATE TABLE plans (
    -- Never used twice: a person approves a number, and must not approve another list by it.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    refused_at  INTEGER NOT NULL,
    why         TEXT    NOT NULL,
    -- Both null while it waits.
    approved_at INTEGER,
    approved_by TEXT,
    -- Both null while the approval stands: when and why it ended.
    ended_at    INTEGER,
    ended_why   TEXT,
    CHECK ((approved_at IS NULL) = (approved_by IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_why IS NULL)),
    CHECK (ended_at IS NULL OR approved_at IS NOT NULL)
) STRICT;

-- At most one waits, and at most one approval stands.
CREATE UNIQUE INDEX plans_waiting ON plans ((approved_at IS NULL)) WHERE approved_at IS NULL;
CREATE UNIQUE INDEX plans_standing ON plans ((ended_at IS NULL)) WHERE approved_at IS NOT NULL AND ended_at IS NULL;

-- The families of a plan as they were when it was refused.
CREATE TABLE plan_families (
    plan       INTEGER NOT NULL REFERENCES plans (id),
    repository INTEGER NOT NULL REFERENCES repositories (id),
    head       BLOB    NOT NULL CHECK (length(head) = 32),
    -- The repository's name and the OCID of the head at that time.
    name       TEXT    NOT NULL,
    image      TEXT    NOT NULL,
    -- A JSON array of the tags of the head.
    tags       TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    -- What the family holds, in bytes; null while a layer is not known.
    size       INTEGER,
    PRIMARY KEY (plan, repository, head)
) STRICT, WITHOUT ROWID;

-- What was stopped and what was approved is on record for good. An INSERT OR REPLACE removes without asking the triggers on
-- DELETE, hence those on INSERT.
CREATE TRIGGER stops_stay BEFORE DELETE ON stops
BEGIN
    SELECT RAISE(ABORT, 'the record of stops is append-only: a stop is never removed');
END;

CREATE TRIGGER stops_are_cleared_once BEFORE UPDATE ON stops
WHEN OLD.cleared_at IS NOT NULL OR NEW.cleared_at IS NULL
    OR (NEW.id, NEW.kind, NEW.at, NEW.why) IS NOT (OLD.id, OLD.kind, OLD.at, OLD.why)
BEGIN
    SELECT RAISE(ABORT, 'the record of stops is append-only: a stop is cleared once and else never changes');
END;

CREATE TRIGGER stops_are_not_replaced BEFORE INSERT ON stops
WHEN EXISTS (SELECT 1 FROM stops WHERE id = NEW.id OR (kind = NEW.kind AND cleared_at IS NULL))
BEGIN
    SELECT RAISE(ABORT, 'the record of stops is append-only: a stop is never replaced');
END;

CREATE TRIGGER approved_plans_stay BEFORE DELETE ON plans
WHEN OLD.approved_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: an approved plan is never removed');
END;

CREATE TRIGGER plans_are_approved_once BEFORE UPDATE ON plans
WHEN OLD.ended_at IS NOT NULL OR (NEW.id, NEW.refused_at, NEW.why) IS NOT (OLD.id, OLD.refused_at, OLD.why)
    OR (OLD.approved_at IS NOT NULL
        AND (NEW.approved_at, NEW.approved_by) IS NOT (OLD.approved_at, OLD.approved_by))
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: a plan is approved once, ends once, and else never changes');
END;

CREATE TRIGGER plans_are_not_replaced BEFORE INSERT ON plans
WHEN EXISTS (SELECT 1 FROM plans WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: a plan is never replaced');
END;

CREATE TRIGGER families_of_approved_plans_stay BEFORE DELETE ON plan_families
WHEN EXISTS (SELECT 1 FROM plans WHERE id = OLD.plan AND approved_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: a family of an approved plan is never removed');
END;

CREATE TRIGGER families_of_plans_do_not_change BEFORE UPDATE ON plan_families
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: a family of a plan never changes');
END;

-- Whoever may add to a list after it was approved could approve anything.
CREATE TRIGGER families_join_no_approved_plan BEFORE INSERT ON plan_families
WHEN EXISTS (SELECT 1 FROM plans WHERE id = NEW.plan AND approved_at IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'the record of approvals is append-only: nothing joins an approved plan');
END;
