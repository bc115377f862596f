-- Annotations of the server, readable by all accounts (RFC 5464): directory.db, version 3.

-- entry is in lower case and begins with /shared/.  modseq counts the changes of this table; a removed
-- entry stays, with a value of NULL.
CREATE TABLE annotation (
    entry  TEXT    PRIMARY KEY,
    value  BLOB,
    modseq INTEGER NOT NULL
) WITHOUT ROWID;
