-- Keys, addresses, domains, switches of accounts, and login attempts: directory.db, version 2.

-- Further addresses of accounts; an account's own name is always one.  "@example.org" stands for all
-- addresses of a domain that nobody has.  folded is what addresses are compared by.
CREATE TABLE address (
    folded  TEXT    PRIMARY KEY,
    address TEXT    NOT NULL,
    account INTEGER NOT NULL REFERENCES account (id)
) WITHOUT ROWID;
CREATE INDEX address_account ON address (account);

-- Domains of which something is to be said; a domain is there as soon as an address is.
CREATE TABLE domain (
    folded   TEXT    PRIMARY KEY,
    disabled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

-- Public keys of clients, by raw-url-base64 of SHA-256 over the SubjectPublicKeyInfo.  A key belongs to
-- one account.  Times are Unix seconds; "until": from then on the key is refused.
CREATE TABLE key (
    fingerprint TEXT    PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account (id),
    name        TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    certificate BLOB    NOT NULL,
    created     REAL    NOT NULL,
    no_preauth  INTEGER NOT NULL,
    read_only   INTEGER NOT NULL,
    until       REAL,
    used        REAL
) WITHOUT ROWID;
CREATE INDEX key_account ON key (account);

-- Capabilities, in upper case, that an account's clients are not told of.
CREATE TABLE capability_off (
    account INTEGER NOT NULL REFERENCES account (id),
    name    TEXT    NOT NULL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- Login attempts, those alike in one row: id is a hash of all fields up to the result.  "account" is a
-- name, or "-" where nobody knows whose it was.
CREATE TABLE attempt (
    id        BLOB PRIMARY KEY,
    account   TEXT NOT NULL,
    login     TEXT NOT NULL,
    remote    TEXT NOT NULL,
    local     TEXT NOT NULL,
    tls       TEXT NOT NULL,
    key       TEXT NOT NULL,
    protocol  TEXT NOT NULL,
    agent     TEXT NOT NULL,
    mechanism TEXT NOT NULL,
    result    TEXT NOT NULL,
    count     INTEGER NOT NULL,
    first     REAL NOT NULL,
    last      REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX attempt_last ON attempt (last);
CREATE INDEX attempt_account ON attempt (account, last);
CREATE INDEX attempt_failed ON attempt (account, last) WHERE result <> 'ok';

-- How many failed ones an account has, so that its limit costs no counting.
CREATE TABLE attempt_failures (
    account TEXT PRIMARY KEY,
    count   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER attempt_added AFTER INSERT ON attempt WHEN NEW.result <> 'ok' BEGIN
    INSERT INTO attempt_failures VALUES (NEW.account, 1)
        ON CONFLICT (account) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER attempt_removed AFTER DELETE ON attempt WHEN OLD.result <> 'ok' BEGIN
    UPDATE attempt_failures SET count = count - 1 WHERE account = OLD.account;
    DELETE FROM attempt_failures WHERE account = OLD.account AND count <= 0;
END;

-- Whatever is an account's goes with it.
CREATE TRIGGER account_removed AFTER DELETE ON account BEGIN
    DELETE FROM address WHERE account = OLD.id;
    DELETE FROM key WHERE account = OLD.id;
    DELETE FROM capability_off WHERE account = OLD.id;
    DELETE FROM attempt WHERE account = OLD.name;
END;

-- Secrets of this installation.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO secret VALUES ('fake salts', randomblob(32));
