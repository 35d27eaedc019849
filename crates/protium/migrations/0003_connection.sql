-- Environment account connections. `account` is the one that lends its roles, the environment account;
-- `environment` is the name of an environment in `management_account`, in the same region.
CREATE TABLE account_connection (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    management_account TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE INDEX account_connection_newest ON account_connection (account, region, created_at DESC, id DESC);
CREATE INDEX account_connection_of_management
    ON account_connection (management_account, region, created_at DESC, id DESC);
CREATE INDEX account_connection_of_environment
    ON account_connection (management_account, region, environment, status);
