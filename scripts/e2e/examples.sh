#!/usr/bin/env bash
# The example of AWS CDK, run by a server on this machine against the emulator of AWS; see examples.py.
# The other examples of commands are in the tests of the program: they need nothing but a shell.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib.sh"

"$PROJECT_DIR/scripts/python-env.sh"
command -v npm >/dev/null || need_apt "the AWS CDK is JavaScript" nodejs npm
need_compiler
command -v bwrap >/dev/null || need_apt "runs of commands are tested in their sandbox" bubblewrap
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
"$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/examples.py" --program "$CARGO_TARGET_DIR/debug/protium"
