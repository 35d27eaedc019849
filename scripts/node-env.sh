#!/usr/bin/env bash
# Makes .cache/node: the AWS SDK for JavaScript, as scripts/e2e/clients/js/package-lock.json pins it.
# Idempotent: does nothing while that file and the interpreter stay the same.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

source="$PROJECT_DIR/scripts/e2e/clients/js"
stamp="$NODE_DIR/.complete"

one_at_a_time node

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  need_apt "a client of the end-to-end tests is JavaScript" nodejs npm
fi
wanted="$(node --version) $(cat "$source/package-lock.json")"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

note "installing the AWS SDK for JavaScript into ${NODE_DIR#"$PROJECT_DIR"/} (once)"
rm -rf "$NODE_DIR"
mkdir -p "$NODE_DIR"
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$NODE_DIR"
(cd "$NODE_DIR" && npm ci --silent --ignore-scripts)
printf '%s' "$wanted" >"$stamp"
done_note "Node environment ready: $(node --version)"
