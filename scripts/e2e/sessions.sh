#!/usr/bin/env bash
# Temporary credentials with the AWS CLI and boto3: tokens of an identity provider of the test's own, in the way that
# each of them has by itself; see sessions.py.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

"$PROJECT_DIR/scripts/python-env.sh"
need_compiler
need_postgres
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
for database in sqlite postgres; do
  note "on $database"
  "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/sessions.py" --program "$CARGO_TARGET_DIR/debug/protium" \
    --database "$database"
done
