#!/usr/bin/env bash
# Makes .cache/python: a virtual environment with the AWS CLI, the emulator and what the scripts import.
# Idempotent: does nothing while scripts/requirements.txt and the interpreter stay the same.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

requirements="$PROJECT_DIR/scripts/requirements.txt"
stamp="$PYTHON_DIR/.complete"

# Prints the first interpreter that is new enough for the pinned packages (3.10) and can make environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

one_at_a_time python

wanted=$(cat "$requirements")
if [ -x "$PYTHON_DIR/bin/python" ] && "$PYTHON_DIR/bin/python" -c '' 2>/dev/null &&
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
  exit 0
fi

if ! python=$(find_python); then
  need_apt "the scripts need Python with venv" python3 python3-venv
  python=$(find_python) || fail "no Python 3.10 or newer that can make virtual environments: please install python3 and python3-venv"
fi

note "installing the AWS CLI and the AWS emulator into ${PYTHON_DIR#"$PROJECT_DIR"/} (once, about a minute)"
rm -rf "$PYTHON_DIR"
"$python" -m venv "$PYTHON_DIR"
"$PYTHON_DIR/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
printf '%s' "$wanted" >"$stamp"
done_note "Python environment ready: $("$PYTHON_DIR/bin/aws" --version)"
