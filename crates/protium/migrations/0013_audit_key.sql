-- Each record is written once and looked for seldom: fewer indexes, and each text once. Whoever looks for an operation
-- or a principal goes through the entries of the key, which have both; what `doc` says of the columns is theirs.
CREATE TABLE audit_log (
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C",
    outcome TEXT COLLATE "C" NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, request_id, principal, operation)
);
INSERT INTO audit_log SELECT account, request_id, principal, operation, resource, outcome, doc FROM audit;
DROP TABLE audit;
ALTER TABLE audit_log RENAME TO audit;

-- The newest first.
CREATE INDEX audit_of_resource ON audit (account, resource, request_id);
-- Most requests succeed: whoever looks for those that did needs no index.
CREATE INDEX audit_refused ON audit (account, outcome, request_id) WHERE outcome <> 'SUCCEEDED';
