-- Counters in one place: mail.db, version 7.

-- Nearly every write moves the account's counters and those of a mailbox.  As rows of one table they are most
-- often in one page, so that a page less is written: row 0 is the account's, which has been the table of that
-- name, and the others are the mailboxes.  Who reads asks the views, which have the names of what they show.
ALTER TABLE mailbox RENAME TO mailbox_row;
ALTER TABLE mailbox_row ADD COLUMN contents INTEGER;         -- this and the next two are of row 0 alone
ALTER TABLE mailbox_row ADD COLUMN keywordsets INTEGER;
ALTER TABLE mailbox_row ADD COLUMN digests INTEGER;
INSERT INTO mailbox_row (id, name, uidvalidity, modseq, createseq, removed, contents, keywordsets, digests)
    SELECT 0, '', uidvalidity, modseq, 0, 1, contents, keywordsets, digests FROM account;
DROP TABLE account;
CREATE VIEW account AS
    SELECT modseq, uidvalidity, contents, keywordsets, digests FROM mailbox_row WHERE id = 0;
CREATE VIEW mailbox AS
    SELECT id, name, parent, uidvalidity, uidnext, modseq, createseq, uses, removed,
           messages, unseen, deleted, size, deleted_size, logfloor
    FROM mailbox_row WHERE id <> 0;
