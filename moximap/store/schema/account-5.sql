-- Mail of other servers: mail.db, version 5.

-- A mailbox of another server, and the one here that its messages are brought to.  name, uidvalidity,
-- modseq and subscribed are those of there.  While kept, the mailbox here has the UIDVALIDITY of the
-- one there, and UIDs below reserved are given to nothing but the messages that have them there.
CREATE TABLE synced_mailbox (
    id          INTEGER PRIMARY KEY,
    source      TEXT    NOT NULL,           -- user@host
    name        TEXT    NOT NULL,
    uidvalidity INTEGER NOT NULL,
    modseq      INTEGER NOT NULL,           -- flags were brought up to here; 0: nobody knows
    subscribed  INTEGER NOT NULL,
    mailbox     INTEGER NOT NULL REFERENCES mailbox (id),
    kept        INTEGER NOT NULL,
    reserved    INTEGER NOT NULL,
    compare     INTEGER NOT NULL,           -- what comes may be here already, under another number
    UNIQUE (source, name)
);
CREATE INDEX synced_mailbox_here ON synced_mailbox (mailbox);

-- A message that was brought: its UID there and here, and the code of the flags that it had there.
CREATE TABLE synced_message (
    mailbox INTEGER NOT NULL REFERENCES synced_mailbox (id),
    uid     INTEGER NOT NULL,
    here    INTEGER NOT NULL,
    flags   INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
