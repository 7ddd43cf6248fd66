-- What may be believed: how many there were, whether the clock is in doubt, and which copy of the store this is.

-- How many things the last complete look saw in a scope: the images of a repository (by its OCID), the repositories of a
-- compartment (by its OCID). A fall that is not believed yet freezes the scope.
CREATE TABLE census (
    scope      TEXT    PRIMARY KEY,
    n          INTEGER NOT NULL CHECK (n >= 0),
    -- All three null while the number is believed: how many there were before the fall, when it was seen, and how many
    -- complete looks in a row have agreed since.
    fell_from  INTEGER,
    fell_at    INTEGER,
    n_agreeing INTEGER,
    CHECK ((fell_from IS NULL) = (fell_at IS NULL) AND (fell_at IS NULL) = (n_agreeing IS NULL))
) STRICT, WITHOUT ROWID;

-- The last time a repository was read whole while it was also known what runs from it: only such a pass counts as one in
-- the row of passes that ripens a mark. Null after this migration, so that the first such pass only observes.
ALTER TABLE repositories ADD COLUMN last_certain_at INTEGER;

-- Grows with every change of the marks, and is written beside the store too: a copy of the store that was taken while it
-- was in use is behind what stands there.
ALTER TABLE store ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- When the schema was last brought up to date in a store that had marks to lose; a repository that has not been read whole
-- since is only observed.
ALTER TABLE store ADD COLUMN migrated_at INTEGER;

-- Why the clock is in doubt, and how many clean passes there have been since. No row while it is believed.
CREATE TABLE clock_doubt (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    why     TEXT    NOT NULL,
    n_clean INTEGER NOT NULL
) STRICT;
