#!/usr/bin/env bash
# The whole story with the plain AWS CLI, once on SQLite and once on PostgreSQL; see story.py.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

"$PROJECT_DIR/scripts/python-env.sh"
need_compiler
need_postgres
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
tell() {
  "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/story.py" --program "$CARGO_TARGET_DIR/debug/protium" \
    --database "$1" 2>&1 | sed -u "s/^/  $1: /"
}

# Beside each other: most of the time, one waits for a lease to expire or for a command of the AWS CLI to start.
tell sqlite &
sqlite=$!
tell postgres &
postgres=$!
stop_telling() { kill "$sqlite" "$postgres" 2>/dev/null || true; }
on_exit stop_telling
status=0
wait "$sqlite" || status=$?
wait "$postgres" || status=$?
exit "$status"
