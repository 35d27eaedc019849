-- Linked repositories. `provider` is GITHUB, GITHUB_ENTERPRISE or BITBUCKET.
CREATE TABLE repository (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, name, provider)
);

-- What the versions of a template are registered from. `kind` is that of the template; `provider` and
-- `repository` are the repository, here and in service_sync_config.
CREATE TABLE template_sync_config (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    provider TEXT COLLATE "C" NOT NULL,
    repository TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, template)
);
CREATE INDEX template_sync_config_of_repository
    ON template_sync_config (account, region, repository, provider, kind, template);

-- What the instances of a service are created and updated from.
CREATE TABLE service_sync_config (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    provider TEXT COLLATE "C" NOT NULL,
    repository TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, service)
);
CREATE INDEX service_sync_config_of_repository
    ON service_sync_config (account, region, repository, provider, service);

-- What keeps a service, or one of its instances, from being synced. `instance_id` is NULL for the whole service;
-- `status` is ACTIVE or RESOLVED.
CREATE TABLE sync_blocker (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    service_id TEXT COLLATE "C" NOT NULL,
    instance_id TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE INDEX sync_blocker_of ON sync_blocker (service_id, instance_id, status, created_at DESC, id DESC);
