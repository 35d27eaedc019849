-- What happened, in the order in which it was logged, and how far it was brought to others.
ALTER TABLE event RENAME TO event_before;
-- `seq` is the order of the changes of one resource; two of different resources may become visible in another order
-- where several transactions write at once. `position` is the order in which events are brought to others: there it is
-- given to what is visible, and NULL until then; where one transaction writes at a time (SQLite) `seq` is that order,
-- and it is 0. What was logged before there were deliveries has no account and is brought to nobody.
CREATE TABLE event (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    detail TEXT NOT NULL,
    at BIGINT NOT NULL,
    position BIGINT,
    UNIQUE (resource_id, revision, kind)
);
INSERT INTO event (account, region, resource_id, revision, kind, detail, at, position)
    SELECT '', '', resource_id, revision, kind, detail, at, 0 FROM event_before ORDER BY at, resource_id, revision, kind;
DROP TABLE event_before;
CREATE INDEX event_unplaced ON event (seq) WHERE position IS NULL;
CREATE UNIQUE INDEX event_placed ON event (position) WHERE position > 0;

-- Where events are brought to. Everything up to `position` is delivered, is not for it, or has a row below. What was
-- logged up to `since`, a `seq`, was there before the destination. One process at a time has the lease; `fence` counts
-- how often it changed hands.
CREATE TABLE event_destination (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    since BIGINT NOT NULL,
    lease_by TEXT COLLATE "C",
    lease_until BIGINT,
    fence BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);

-- What was not delivered at once: PENDING or DEAD. `position` is that of the event. The first pending one of a resource
-- has `next_at`; the others are NULL and wait for it.
CREATE TABLE event_delivery (
    destination TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    arn TEXT COLLATE "C" NOT NULL,
    detail_type TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    next_at BIGINT,
    at BIGINT NOT NULL,
    PRIMARY KEY (destination, position)
);
CREATE INDEX event_delivery_due ON event_delivery (destination, next_at, position) WHERE next_at IS NOT NULL;
CREATE INDEX event_delivery_of_resource ON event_delivery (destination, arn, position) WHERE state = 'PENDING';
CREATE INDEX event_delivery_listed ON event_delivery (account, region, destination, position);
CREATE INDEX event_delivery_of_event ON event_delivery (event);
CREATE INDEX event_delivery_age ON event_delivery (at);
