-- History that stays small: the usage of everything that is watched, the steps into which samples are folded, and what a
-- deletion freed. Samples are kept for 30 days, hours for a year, days for ever; passes that changed nothing for 90 days.

-- Usage of everything that is watched: written like that of a repository, and only in passes that read everything.
CREATE TABLE account_samples (
    at            INTEGER PRIMARY KEY,
    -- ocird's own account, null while a layer is not known; and the service's figure, which lags.
    size          INTEGER,
    reported_size INTEGER,
    n_images      INTEGER NOT NULL,
    n_tags        INTEGER NOT NULL
) STRICT;

-- One row for each hour and each day in which there was a sample.
CREATE TABLE usage_steps (
    -- The row of the repository, or 0 for everything that is watched.
    scope         INTEGER NOT NULL CHECK (scope >= 0),
    -- Its length in hours.
    step          INTEGER NOT NULL CHECK (step IN (1, 24)),
    -- When it begins.
    at            INTEGER NOT NULL CHECK (at % (step * 3600000) = 0),
    -- The last size that was known in it, and the largest; both null when none was.
    size          INTEGER,
    peak          INTEGER,
    -- By how much it rose from one known size to the next, all rises together, and by how much it fell. What is pushed and
    -- deleted within one step does not vanish from these.
    grown         INTEGER NOT NULL CHECK (grown >= 0),
    freed         INTEGER NOT NULL CHECK (freed >= 0),
    -- The last of each in it.
    reported_size INTEGER,
    n_images      INTEGER NOT NULL,
    n_tags        INTEGER NOT NULL,
    PRIMARY KEY (scope, step, at)
) STRICT, WITHOUT ROWID;

-- What the deletion of the image alone gives back: its manifest, and the layers that no other image of its repository had
-- at that moment. Null where a layer was not known, and in intents of earlier schemas.
ALTER TABLE intents ADD COLUMN frees INTEGER CHECK (frees >= 0);

-- Ways into the past: by time, and by repository.
CREATE INDEX passes_by_time ON passes (finished_at);
CREATE INDEX passes_of_note ON passes (finished_at) WHERE result <> 'complete';
CREATE INDEX images_by_first_sight ON images (first_seen_at);
CREATE INDEX images_of_repository ON images (repository, gone_at);
CREATE INDEX verdicts_by_pass ON verdicts (pass);
CREATE INDEX intents_by_name ON intents (name);
CREATE INDEX proofs_by_time ON proofs (first_at);
CREATE INDEX proofs_of_note ON proofs (made_at) WHERE result <> 'clean';
CREATE INDEX findings_by_time ON findings (first_seen_at);
