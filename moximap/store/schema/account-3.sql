-- Annotations (RFC 5464): mail.db, version 3.

-- Values of mailboxes and, where mailbox is 0, of the account itself.  entry is in lower case.  One
-- that was removed stays, with a value of NULL: so it can be told what changed since a modseq.
CREATE TABLE annotation (
    mailbox   INTEGER NOT NULL,
    entry     TEXT    NOT NULL,
    value     BLOB,
    modseq    INTEGER NOT NULL,
    createseq INTEGER NOT NULL,
    PRIMARY KEY (mailbox, entry)
);
CREATE INDEX annotation_modseq ON annotation (modseq);
CREATE INDEX annotation_entry ON annotation (entry);
