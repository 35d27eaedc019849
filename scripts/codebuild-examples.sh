#!/usr/bin/env bash
# How far bundles of commands come on this machine: those in a folder, such as a checkout of the ones that AWS published
# for CodeBuild provisioning. They are registered and run by a server of this checkout with the AWS CLI, against the
# emulator of AWS; see e2e/codebuild_examples.py. What their commands download, they download.
#
#   scripts/codebuild-examples.sh FOLDER                            with the programs of this machine
#   scripts/codebuild-examples.sh FOLDER --hide npm --hide curl     as if these were not installed
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

[ $# -gt 0 ] || fail "name the folder that the bundles are in: those have a schema/schema.yaml each"
"$PROJECT_DIR/scripts/python-env.sh"
need_compiler
command -v bwrap >/dev/null || need_apt "runs of commands are held in their sandbox" bubblewrap
(cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium)
clean_aws_environment
exec "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/e2e/codebuild_examples.py" --program "$CARGO_TARGET_DIR/debug/protium" "$@"
