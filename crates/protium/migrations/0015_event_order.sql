-- The order in which events are brought to others, kept beside the events: what became visible together has one row, and
-- no event is ever changed. (Where one transaction writes at a time, which is SQLite's way, `seq` is that order, and
-- these stay empty.) The event `first_seq` has the place `position`, the next one the next, up to `last_seq`.
CREATE TABLE event_span (
    position BIGINT NOT NULL PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL
);
CREATE UNIQUE INDEX event_span_last ON event_span (last_seq);
INSERT INTO event_span (position, first_seq, last_seq)
    SELECT MIN(position), MIN(seq), MAX(seq) FROM (
        SELECT seq, position, SUM(begins) OVER (ORDER BY seq) AS span FROM (
            SELECT seq, position,
                   CASE WHEN seq = 1 + LAG(seq) OVER (ORDER BY seq) AND position = 1 + LAG(position) OVER (ORDER BY seq)
                        THEN 0 ELSE 1 END AS begins
            FROM event WHERE position > 0
        ) placed
    ) spans GROUP BY span;

-- One row: no transaction is under way any more that could add an event up to `low`, and all of them have places. What
-- was logged before there were deliveries has none.
CREATE TABLE event_horizon (low BIGINT NOT NULL);
INSERT INTO event_horizon (low) SELECT COALESCE(MAX(seq), 0) FROM event WHERE position = 0;

DROP INDEX event_unplaced;
DROP INDEX event_placed;
ALTER TABLE event DROP COLUMN position;
