#!/bin/sh
# Installs what package-lock.json pins, and runs the CDK with the given arguments.
set -eu

# prepare: everything that is needed before AWS is asked for anything.
prepare() {
  for tool in node npm; do
    command -v "$tool" >/dev/null || {
      echo "$tool is not among the programs that runs find: install Node.js 20 or newer, on the server or in a folder \
that it is given with --run-tools" >&2
      return 127
    }
  done
  # Here and not in HOME, which goes with the run: later ones download nothing again, and need no npm registry.
  npm_config_cache=$PROTIUM_STATE_DIR/npm npm ci --ignore-scripts --no-progress --prefer-offline
}

begun=$PROTIUM_STATE_DIR/begun
prepare || {
  status=$?
  if [ "$1" = destroy ] && [ ! -e "$begun" ]; then
    echo 'the CDK was never run: there is nothing to destroy'
    exit 0
  fi
  exit "$status"
}
: >"$begun"
exec npx --no-install cdk "$@" --no-notices --no-color
