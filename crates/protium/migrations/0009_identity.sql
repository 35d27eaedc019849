-- Identities are of an account, in all regions. What holds policies is known by its stable id; `holder_kind` is USER,
-- GROUP or ROLE. `folded` is the name in lower case: names are told apart without regard to it.
CREATE TABLE iam_user (
    account TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, folded)
);

CREATE TABLE iam_group (
    account TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, folded)
);

CREATE TABLE iam_group_member (
    account TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, user_id, group_id)
);
CREATE INDEX iam_group_member_of_group ON iam_group_member (account, group_id);

-- The account's own; those that are built in have no rows.
CREATE TABLE iam_policy (
    account TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    description TEXT,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, folded)
);
CREATE UNIQUE INDEX iam_policy_by_id ON iam_policy (account, id);

-- `policy` is the id of one of the account's own, or the name of one that is built in. `kind` is POLICY or BOUNDARY, of
-- which a holder has one at most.
CREATE TABLE iam_attachment (
    account TEXT COLLATE "C" NOT NULL,
    holder_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    policy TEXT COLLATE "C" NOT NULL,
    holder_kind TEXT COLLATE "C" NOT NULL,
    holder_name TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, holder_id, kind, policy)
);
CREATE INDEX iam_attachment_of_policy ON iam_attachment (account, policy);

CREATE TABLE iam_inline_policy (
    account TEXT COLLATE "C" NOT NULL,
    holder_id TEXT COLLATE "C" NOT NULL,
    folded TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    holder_kind TEXT COLLATE "C" NOT NULL,
    holder_name TEXT COLLATE "C" NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, holder_id, folded)
);

ALTER TABLE access_key ADD COLUMN last_used_at BIGINT;
ALTER TABLE access_key ADD COLUMN last_used_region TEXT;
ALTER TABLE access_key ADD COLUMN last_used_service TEXT;
