-- One account's mail: mail.db, version 1.
--
-- The store is a change log.  Every write takes the next modseq, one counter per account, and
-- stamps it on each row that it touches.  Rows that go stay as tombstones, so "what happened since
-- 4711?" has an answer for as long as somebody may ask.

-- The counters of the account, in the one row that every transaction reads first.  Each holds the
-- last number given out: none of them is ever used twice, not even after what it named is erased.
CREATE TABLE account (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    modseq      INTEGER NOT NULL,
    uidvalidity INTEGER NOT NULL,
    contents    INTEGER NOT NULL,    -- content.id; EMAILID is made of it
    keywordsets INTEGER NOT NULL,    -- keywordset.id
    digests     INTEGER NOT NULL     -- version of the digest that no row of digest is older than
);

-- Mailboxes.  The counters are those of messages that are not expunged, and are kept in the same
-- transaction as the messages.  parent is never NULL where the name has a "/".
CREATE TABLE mailbox (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL,
    parent       INTEGER REFERENCES mailbox (id),
    uidvalidity  INTEGER NOT NULL,
    uidnext      INTEGER NOT NULL DEFAULT 1,
    modseq       INTEGER NOT NULL,
    createseq    INTEGER NOT NULL,
    uses         TEXT    NOT NULL DEFAULT '',       -- special uses, separated by spaces
    removed      INTEGER NOT NULL DEFAULT 0,
    messages     INTEGER NOT NULL DEFAULT 0,
    unseen       INTEGER NOT NULL DEFAULT 0,
    deleted      INTEGER NOT NULL DEFAULT 0,
    size         INTEGER NOT NULL DEFAULT 0,
    deleted_size INTEGER NOT NULL DEFAULT 0,
    logfloor     INTEGER NOT NULL DEFAULT 0         -- the log is complete above this modseq
);
CREATE UNIQUE INDEX mailbox_name ON mailbox (name) WHERE NOT removed;

-- Subscribed names, of mailboxes that exist or not.
CREATE TABLE subscription (
    name   TEXT PRIMARY KEY,
    modseq INTEGER NOT NULL
) WITHOUT ROWID;

-- Keywords are compared without case and shown as they were first spelled.  A message carries the
-- number of a set of them: in practice an account has few sets, and a message row stays narrow.
CREATE TABLE keyword (
    id     INTEGER PRIMARY KEY,
    folded TEXT NOT NULL UNIQUE,
    name   TEXT NOT NULL
);
CREATE TABLE keywordset (
    id    INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE       -- separated by spaces, sorted without case
);

-- What a message consists of.  Copies share it.  Head and body are apart so that who wants headers
-- does not read bodies; the columns before them are found without touching either.  A large message
-- has its head here and the whole of it in a file below large/.
CREATE TABLE content (
    id          INTEGER PRIMARY KEY,
    size        INTEGER NOT NULL,
    header_size INTEGER NOT NULL,
    sha256      BLOB    NOT NULL,
    thread      INTEGER,
    file        TEXT,
    head        BLOB    NOT NULL,
    body        BLOB
);

-- What was read out of a message when it came in, in the form in which it is sent, and sort keys.
CREATE TABLE digest (
    content       INTEGER PRIMARY KEY REFERENCES content (id),
    version       INTEGER NOT NULL,
    sent          INTEGER,           -- the day of the Date field as written, 1 is 1 January of year 1
    sent_time     INTEGER,           -- the moment that it means, Unix seconds
    envelope      BLOB NOT NULL,
    preview       TEXT NOT NULL,
    body          BLOB NOT NULL,
    bodystructure BLOB NOT NULL,
    parts         BLOB NOT NULL,
    subject       TEXT NOT NULL,
    base_subject  TEXT NOT NULL,
    from_key      TEXT NOT NULL,
    to_key        TEXT NOT NULL,
    cc_key        TEXT NOT NULL,
    from_display  TEXT NOT NULL,
    to_display    TEXT NOT NULL,
    message_id    BLOB,
    refs          BLOB NOT NULL      -- message ids, separated by spaces
);

-- Messages: narrow, and clustered as they are asked for.  An expunged one stays, with its last
-- modseq; its content is NULL when that is erased.
CREATE TABLE message (
    mailbox   INTEGER NOT NULL REFERENCES mailbox (id),
    uid       INTEGER NOT NULL,
    modseq    INTEGER NOT NULL,
    createseq INTEGER NOT NULL,
    flags     INTEGER NOT NULL,      -- five bits of system flags, then the keyword set
    date      INTEGER NOT NULL,      -- INTERNALDATE, Unix seconds
    zone      INTEGER NOT NULL,      -- its minutes east of UTC
    saved     INTEGER,               -- RFC 8514, Unix seconds
    size      INTEGER NOT NULL,
    content   INTEGER REFERENCES content (id),
    expunged  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (mailbox, uid)
) WITHOUT ROWID;
CREATE INDEX message_content ON message (content) WHERE content IS NOT NULL;
CREATE INDEX message_gone ON message (modseq) WHERE expunged AND content IS NOT NULL;

-- The change log: a row for each run of UIDs that a transaction touched.  A run may cover UIDs that
-- were not touched: a message belongs to it only if its modseq is the run's.
CREATE TABLE log (
    mailbox INTEGER NOT NULL,
    modseq  INTEGER NOT NULL,
    lo      INTEGER NOT NULL,
    hi      INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, lo)
) WITHOUT ROWID;
