-- Version 2: quotas.

-- What the account may use: a row for each resource that is limited, "storage" in octets of messages,
-- "messages", "mailboxes".  What it does use is the sum of the mailboxes' counters.
CREATE TABLE quota (
    resource TEXT PRIMARY KEY,
    amount   INTEGER NOT NULL
) WITHOUT ROWID;
