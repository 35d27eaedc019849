-- The repository that a self-managed environment is provisioned from; NULL where an environment has none, as all
-- had before.
ALTER TABLE environment ADD COLUMN provider TEXT COLLATE "C";
ALTER TABLE environment ADD COLUMN repository TEXT COLLATE "C";
CREATE INDEX environment_of_repository ON environment (account, region, repository, provider, name);
