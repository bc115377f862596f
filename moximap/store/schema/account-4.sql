-- Ids of objects (RFC 8474): mail.db, version 4.

-- EMAILID and THREADID are made of this number and of the id of a content, so that an account that is made
-- anew gives out no id that clients know for something else.
CREATE TABLE origin (
    number INTEGER NOT NULL
);
INSERT INTO origin VALUES (random() & 0xffffffffff);

-- content.thread is the thread of a message: the id of the content that began it, so that no number
-- is ever given out twice.  Contents that were there before are each a thread of their own.
UPDATE content SET thread = id;
CREATE INDEX content_thread ON content (thread);

-- The message ids that are known, those of References and In-Reply-To too, as hashes; a message that
-- names one of them belongs to its thread.
CREATE TABLE messageid (
    hash   INTEGER PRIMARY KEY,
    thread INTEGER NOT NULL
);
CREATE INDEX messageid_thread ON messageid (thread);
