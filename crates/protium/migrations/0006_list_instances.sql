-- Which index answers which list of service instances is told in src/store/instance_list.rs.

-- One for each order of a list. Each also answers the filter for one value of its first column.
CREATE INDEX service_instance_by_name ON service_instance (account, region, name, service);
CREATE INDEX service_instance_by_status ON service_instance (account, region, status, service, name);
CREATE INDEX service_instance_by_template ON service_instance (account, region, template, service, name);
CREATE INDEX service_instance_by_environment ON service_instance (account, region, environment, service, name);
CREATE INDEX service_instance_by_attempted_at ON service_instance (account, region, attempted_at, service, name);
CREATE INDEX service_instance_by_created_at ON service_instance (account, region, created_at, service, name);

-- One for each order within an environment.
CREATE INDEX service_instance_of_environment_by_name
    ON service_instance (account, region, environment, name, service);
CREATE INDEX service_instance_of_environment_by_status
    ON service_instance (account, region, environment, status, service, name);
CREATE INDEX service_instance_of_environment_by_template
    ON service_instance (account, region, environment, template, service, name);
CREATE INDEX service_instance_of_environment_by_attempted_at
    ON service_instance (account, region, environment, attempted_at, service, name);
CREATE INDEX service_instance_of_environment_by_created_at
    ON service_instance (account, region, environment, created_at, service, name);

-- All that a filter or an order asks for, in the default order: whatever the filters are, they are decided without
-- reading a document.
CREATE INDEX service_instance_covering ON service_instance
    (account, region, service, name, environment, status, template, major, minor, created_at, attempted_at);

-- Instances on one version, in the default order. With the status, for counting.
DROP INDEX service_instance_on_version;
CREATE INDEX service_instance_on_version
    ON service_instance (account, region, template, major, minor, service, name, status);
