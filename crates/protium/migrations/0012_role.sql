-- Roles and identity providers of accounts, which have no region. `folded` is the name in small letters: two names
-- that differ in capitals only are the same.
CREATE TABLE role (
    account TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, folded)
);

-- `identifier` is the issuer without its scheme.
CREATE TABLE oidc_provider (
    account TEXT COLLATE "C" NOT NULL,
    identifier TEXT COLLATE "C" NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, identifier)
);

-- Tokens of identity providers that were exchanged for credentials: `sha256` is of what is signed of a token, `source`
-- the address of its first use. What has expired is removed from time to time.
CREATE TABLE web_identity_token (
    account TEXT COLLATE "C" NOT NULL,
    sha256 TEXT COLLATE "C" NOT NULL,
    source TEXT NOT NULL,
    used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, sha256)
);
CREATE INDEX web_identity_token_expired ON web_identity_token (expires_at);
