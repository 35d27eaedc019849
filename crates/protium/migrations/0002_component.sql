-- Components. `service`, `instance` and `instance_id` name the service instance that a component holds, NULL
-- where it is detached: at most one component holds an instance.
CREATE TABLE component (
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL UNIQUE,
    environment TEXT COLLATE "C" NOT NULL,
    environment_id TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C",
    instance TEXT COLLATE "C",
    instance_id TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, region, name)
);
CREATE INDEX component_in_environment ON component (environment_id, name);
CREATE INDEX component_of_instance ON component (instance_id);
CREATE INDEX component_by_environment ON component (account, region, environment, name);
CREATE INDEX component_by_instance ON component (account, region, service, instance, name);
