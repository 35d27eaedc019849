-- Who alone may run commands on its own machine, and until when it holds that without saying so again.
CREATE TABLE local_runner (
    runner TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    held_until BIGINT NOT NULL
);
INSERT INTO local_runner (runner, held_until) VALUES ('', 0);
