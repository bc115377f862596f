-- The search index of one account: search.db, beside mail.db.  All of it follows from mail.db: it is
-- dropped and built anew rather than upgraded or mended.

-- upto: the contents up to this number were looked at; those above it are not in the index yet.
-- heads: the same for the table head, which is filled first: it takes a fifth of the time, and is most
-- often asked.  It is never less than upto.
-- maker: what made the index; another maker may read another text out of the same message.
CREATE TABLE state (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    upto  INTEGER NOT NULL,
    heads INTEGER NOT NULL,
    maker TEXT    NOT NULL
);

-- Contents that were looked at and are not in the index: too large, or not readable.
CREATE TABLE unread (
    content INTEGER PRIMARY KEY
);

-- Three characters in a row of the folded header, and contents that have them; rowid is the content.
CREATE VIRTUAL TABLE head USING fts5 (
    folded, tokenize = 'trigram case_sensitive 1', content = '', contentless_delete = 1, detail = none
);

-- Merged less often: a search asks more segments of it, which costs some microseconds for each.  What a
-- batch adds is held in memory until it ends.
INSERT INTO head (head, rank) VALUES ('automerge', 8), ('hashsize', 8388608);

-- Words of the folded texts of up to 256 contents.  last: the number of the last of them.
-- contents: their numbers, 8 octets each; that of one which has left is 0.
-- marks: words that the same contents have are a group.  4 octets for each group, where its words end; then
-- 32 octets for each, the bits of its contents, the first content's being the lowest.
CREATE TABLE segment (
    last     INTEGER PRIMARY KEY,
    contents BLOB NOT NULL,
    marks    BLOB NOT NULL
);

-- The words of a segment, by groups, each followed by a line end: what is gone through.
CREATE TABLE words (
    last  INTEGER PRIMARY KEY,
    words BLOB NOT NULL
);
