-- The audit log: who asked for what, and what came of it. Rows are added and, when they are old enough, removed in
-- the order of time; no row is ever changed. A request id begins with the time of the request, so that its order is
-- that of time: it bounds times, pages and retention alike.
CREATE TABLE audit (
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    principal TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    resource TEXT COLLATE "C",
    outcome TEXT COLLATE "C" NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (account, request_id)
);

-- Each way to search, the newest first.
CREATE INDEX audit_of_principal ON audit (account, principal, request_id);
CREATE INDEX audit_of_operation ON audit (account, operation, request_id);
CREATE INDEX audit_of_resource ON audit (account, resource, request_id);
-- Most requests succeed: whoever looks for those that did needs no index.
CREATE INDEX audit_refused ON audit (account, outcome, request_id) WHERE outcome <> 'SUCCEEDED';
