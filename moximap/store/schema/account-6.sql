-- Lists of messages: mail.db, version 6.

-- What clients ask of all messages at once, in the form in which it is sent, and the rest of a digest apart from
-- it: five rows of either are in a page of the database, where there had been two with both.
ALTER TABLE digest RENAME TO undivided;
CREATE TABLE summary (
    content       INTEGER PRIMARY KEY REFERENCES content (id),
    envelope      BLOB NOT NULL,
    bodystructure BLOB NOT NULL
);
CREATE TABLE digest (
    content       INTEGER PRIMARY KEY REFERENCES content (id),
    version       INTEGER NOT NULL,  -- of both
    sent          INTEGER,           -- the day of the Date field as written, 1 is 1 January of year 1
    sent_time     INTEGER,           -- the moment that it means, Unix seconds
    preview       TEXT NOT NULL,
    body          BLOB NOT NULL,
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
INSERT INTO summary SELECT content, envelope, bodystructure FROM undivided ORDER BY content;
INSERT INTO digest
    SELECT content, version, sent, sent_time, preview, body, parts, subject, base_subject,
           from_key, to_key, cc_key, from_display, to_display, message_id, refs
    FROM undivided ORDER BY content;
DROP TABLE undivided;
