-- All accounts and how they log in: directory.db, version 1.

-- Names are NFC; folded is what they are compared by.  An account that is being removed keeps its
-- row until its mail is gone, so that a removal that was cut off is finished and a name that is
-- free has no mail left behind it.
CREATE TABLE account (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL,
    folded   TEXT    NOT NULL UNIQUE,
    created  REAL    NOT NULL,
    disabled TEXT,
    removing INTEGER NOT NULL DEFAULT 0
);

-- What is kept of passwords (RFC 5802 section 3).
CREATE TABLE verifier (
    account    INTEGER NOT NULL REFERENCES account (id),
    mechanism  TEXT    NOT NULL,
    salt       BLOB    NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB    NOT NULL,
    server_key BLOB    NOT NULL,
    PRIMARY KEY (account, mechanism)
) WITHOUT ROWID;
