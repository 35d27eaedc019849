#!/usr/bin/env bash
# One story with four clients that others wrote: boto3, the AWS CLI, and the AWS SDKs for JavaScript and for Rust, each
# with every paginator and every waiter that it has; see clients/run.py and clients/python_story.py.
#
#   scripts/e2e/clients.sh               all of them, beside each other
#   scripts/e2e/clients.sh --only NAME   one of boto3, cli, js, rust
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

"$PROJECT_DIR/scripts/python-env.sh"
"$PROJECT_DIR/scripts/node-env.sh"
need_compiler
# Together, so that what both use is built once.
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium --package client-story)
clean_aws_environment
export NODE_PATH="$NODE_DIR/node_modules"
"$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/clients/run.py" --program "$CARGO_TARGET_DIR/debug/protium" \
  --rust "$CARGO_TARGET_DIR/debug/client-story" "$@"
