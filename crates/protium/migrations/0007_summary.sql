-- What src/store/summary.rs counts, without reading documents: what stands on which version and failed,
DROP INDEX environment_on_version;
CREATE INDEX environment_on_version ON environment (account, region, template, major, minor, status);
DROP INDEX service_pipeline_on_version;
CREATE INDEX service_pipeline_on_version ON service_pipeline (account, region, template, major, minor, status);

-- and for each service the lowest version of its parts.
DROP INDEX service_on_template;
CREATE INDEX service_on_template ON service (account, region, template, name, status);
CREATE INDEX service_instance_of_service_on_version ON service_instance (account, region, service, major, minor);
CREATE INDEX service_pipeline_of_service_on_version ON service_pipeline (account, region, service, major, minor);
