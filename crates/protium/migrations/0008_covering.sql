-- Each index by which a list of service instances is searched has all that its filters and orders ask for: what is on
-- a page is decided on the entries of one index (src/store/instance_list.rs).
DROP INDEX service_instance_by_name;
CREATE INDEX service_instance_by_name ON service_instance
    (account, region, name, service, environment, status, template, major, minor, created_at, attempted_at);
DROP INDEX service_instance_by_status;
CREATE INDEX service_instance_by_status ON service_instance
    (account, region, status, service, name, environment, template, major, minor, created_at, attempted_at);
DROP INDEX service_instance_by_template;
CREATE INDEX service_instance_by_template ON service_instance
    (account, region, template, service, name, environment, status, major, minor, created_at, attempted_at);
DROP INDEX service_instance_by_environment;
CREATE INDEX service_instance_by_environment ON service_instance
    (account, region, environment, service, name, status, template, major, minor, created_at, attempted_at);
DROP INDEX service_instance_by_attempted_at;
CREATE INDEX service_instance_by_attempted_at ON service_instance
    (account, region, attempted_at, service, name, environment, status, template, major, minor, created_at);
DROP INDEX service_instance_by_created_at;
CREATE INDEX service_instance_by_created_at ON service_instance
    (account, region, created_at, service, name, environment, status, template, major, minor, attempted_at);
DROP INDEX service_instance_on_version;
CREATE INDEX service_instance_on_version ON service_instance
    (account, region, template, major, minor, service, name, environment, status, created_at, attempted_at);

-- What src/store/summary.rs counts of them. PostgreSQL stores entries that are alike once.
CREATE INDEX service_instance_counted ON service_instance (account, region, template, major, minor, status);
