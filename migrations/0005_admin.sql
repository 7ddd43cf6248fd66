-- What operators asked the daemon to do over its admin socket: who, when, what, and what came of it. Like the journal it
-- only grows, and the question is on record before anything is done.

CREATE TABLE commands (
    -- Never used twice, even if rows could go.
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    -- Who, by the kernel's word: the user's number, and the name it had then, where anybody knew one.
    uid     INTEGER NOT NULL CHECK (uid >= 0),
    user    TEXT,
    -- A word of the list of commands; the list may grow, so it is not checked here.
    command TEXT    NOT NULL,
    -- With what it was asked, for people.
    detail  TEXT    NOT NULL
) STRICT;

CREATE INDEX commands_by_time ON commands (at);

-- What came of each: at most one row each, and never another. A command without one was cut off by the end of the daemon.
CREATE TABLE command_results (
    command INTEGER PRIMARY KEY REFERENCES commands (id),
    at      INTEGER NOT NULL,
    -- 'done', 'refused' or 'failed'.
    kind    TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;

-- An INSERT OR REPLACE removes without asking the triggers on DELETE, hence those on INSERT.
CREATE TRIGGER commands_stay BEFORE DELETE ON commands
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a command is never removed');
END;

CREATE TRIGGER commands_do_not_change BEFORE UPDATE ON commands
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a command never changes');
END;

CREATE TRIGGER commands_are_not_replaced BEFORE INSERT ON commands
WHEN EXISTS (SELECT 1 FROM commands WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a command is never replaced');
END;

CREATE TRIGGER command_results_stay BEFORE DELETE ON command_results
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a result is never removed');
END;

CREATE TRIGGER command_results_do_not_change BEFORE UPDATE ON command_results
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a result never changes');
END;

CREATE TRIGGER command_results_are_not_replaced BEFORE INSERT ON command_results
WHEN EXISTS (SELECT 1 FROM command_results WHERE command = NEW.command)
BEGIN
    SELECT RAISE(ABORT, 'the record of commands is append-only: a command ends once');
END;
