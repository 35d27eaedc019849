-- The first schema, one text for SQLite and PostgreSQL.
--
-- Rows are keyed by account and region first. `id` is the incarnation: a name that is deleted and made again
-- gets another one, and everything that outlives a request refers to it, never to the name. `revision` counts
-- the saved changes of a row, for compare-and-swap. Times are milliseconds since 1970. `doc` is JSON: what no
-- filter and no sort asks for. Names compare by their bytes, whatever the database's locale.

-- Facts about the database itself, such as the sealed canary of the master key.
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Specs, schemas, templates and renders, stored once each.
CREATE TABLE content (
    sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    body BYTEA NOT NULL
);

CREATE TABLE account (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_key (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    user_name TEXT COLLATE "C" NOT NULL,
    secret_sealed BYTEA NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX access_key_of_user ON access_key (account, user_name, created_at);

CREATE TABLE account_settings (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region)
);

-- `kind` is ENVIRONMENT or SERVICE, here and in template_version.
CREATE TABLE template (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, name)
);

CREATE TABLE template_version (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    major BIGINT NOT NULL,
    minor BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    template_id TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, template, major, minor)
);

-- In the four tables below `major` and `minor` are what the last success deployed, NULL before the first one;
-- `attempted_major` and `attempted_minor` are what the newest deployment deploys or deployed.
CREATE TABLE environment (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    template TEXT COLLATE "C" NOT NULL,
    major BIGINT,
    minor BIGINT,
    attempted_major BIGINT,
    attempted_minor BIGINT,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    attempted_at BIGINT,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX environment_on_version ON environment (account, region, template, major, minor);
CREATE INDEX environment_on_attempted ON environment (account, region, template, attempted_major, attempted_minor);

CREATE TABLE service (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    template TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX service_on_template ON service (account, region, template);

CREATE TABLE service_instance (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    service_id TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    major BIGINT,
    minor BIGINT,
    attempted_major BIGINT,
    attempted_minor BIGINT,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    attempted_at BIGINT,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, service, name)
);
CREATE INDEX service_instance_in_environment ON service_instance (environment_id, service, name);
CREATE INDEX service_instance_on_version ON service_instance (account, region, template, major, minor);
CREATE INDEX service_instance_on_attempted
    ON service_instance (account, region, template, attempted_major, attempted_minor);

CREATE TABLE service_pipeline (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    service_id TEXT COLLATE "C" NOT NULL,
    template TEXT COLLATE "C" NOT NULL,
    major BIGINT,
    minor BIGINT,
    attempted_major BIGINT,
    attempted_minor BIGINT,
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    attempted_at BIGINT,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, service)
);
CREATE INDEX service_pipeline_on_version ON service_pipeline (account, region, template, major, minor);
CREATE INDEX service_pipeline_on_attempted
    ON service_pipeline (account, region, template, attempted_major, attempted_minor);

-- `active` is 1 from the start of a deployment to its end, and then 0. `environment`, `service`, `instance` and
-- `component` are the names that ListDeployments filters by, NULL where a deployment has none.
CREATE TABLE deployment (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    target_kind TEXT COLLATE "C" NOT NULL,
    target_id TEXT COLLATE "C" NOT NULL,
    environment TEXT COLLATE "C",
    service TEXT COLLATE "C",
    instance TEXT COLLATE "C",
    component TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    active BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, id)
);
CREATE UNIQUE INDEX deployment_active ON deployment (target_id) WHERE active = 1;
CREATE INDEX deployment_newest ON deployment (account, region, created_at DESC, id DESC);
CREATE INDEX deployment_of_target ON deployment (target_id, created_at DESC, id DESC);
CREATE INDEX deployment_of_environment ON deployment (account, region, environment, created_at DESC, id DESC);
CREATE INDEX deployment_of_service ON deployment (account, region, service, instance, created_at DESC, id DESC);
CREATE INDEX deployment_of_component ON deployment (account, region, component, created_at DESC, id DESC);

-- What is left to do. `key` is what the job is about: there is one job for each kind and key. `attempts` is the
-- fence: whoever claimed the row last knows its number, and nobody else may settle it. `failures` counts those
-- in a row, for back-off. `nudges` counts how often it was enqueued: a job that was enqueued again while a worker
-- had it is not done. `lease_until` is NULL while nobody works on it.
CREATE TABLE job (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    payload TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    lease_until BIGINT,
    lease_by TEXT COLLATE "C",
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    nudges BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX job_due ON job (due_at, id);
CREATE INDEX job_leased ON job (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX job_of_resource ON job (resource_id);

-- What happened, in the order of the resource's revisions.
CREATE TABLE event (
    resource_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    detail TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (resource_id, revision, kind)
);

CREATE TABLE idempotency_token (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    request_hash TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, operation, token)
);
CREATE INDEX idempotency_token_of_resource ON idempotency_token (resource_id);
CREATE INDEX idempotency_token_age ON idempotency_token (created_at);

CREATE TABLE tag (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    arn TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, region, resource_id, key)
);

-- The embedded bundle store's directory. Bodies are files named by `blob`, or rows of content.
CREATE TABLE bucket (
    account TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE object (
    account TEXT COLLATE "C" NOT NULL,
    bucket TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    content_type TEXT,
    modified_at BIGINT NOT NULL,
    blob TEXT COLLATE "C" NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, bucket, key)
);

CREATE INDEX object_of_blob ON object (blob);

CREATE TABLE upload (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    bucket TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL
);
CREATE INDEX upload_in_bucket ON upload (account, bucket, key, id);

CREATE TABLE upload_part (
    upload_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    blob TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (upload_id, number)
);
CREATE INDEX upload_part_of_blob ON upload_part (blob);
