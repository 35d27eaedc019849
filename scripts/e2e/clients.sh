#!/usr/bin/env bash
# One story with four clients that others wrote: boto3, the AWS CLI, and the AWS SDKs for JavaScript and for Rust, each
# with every paginator and every waiter that it has; see clients/run.py and clients/python_story.py.
#
#   scripts/e2e/clients.sh               all of them, beside each other, on SQLite and then on PostgreSQL
#   scripts/e2e/clients.sh --only NAME   one of boto3, cli, js, rust
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

"$PROJECT_DIR/scripts/python-env.sh"
"$PROJECT_DIR/scripts/node-env.sh"
need_compiler
need_postgres
# Together, so that what both use is built once.
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium --package client-story)
clean_aws_environment
export NODE_PATH="$NODE_DIR/node_modules"

# tell DATABASE [ARGUMENT...]: runs the story on that database.
tell() {
  note "on $1"
  "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/clients/run.py" --program "$CARGO_TARGET_DIR/debug/protium" \
    --rust "$CARGO_TARGET_DIR/debug/client-story" --database "$@"
}

tell sqlite "$@"
# The AWS CLI takes minutes, nearly all of them to start; on PostgreSQL it has story.sh.
[ $# -gt 0 ] || set -- --only boto3 --only js --only rust
tell postgres "$@"
