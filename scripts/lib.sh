# shellcheck shell=bash
# What the project's scripts share: progress lines, cleaning up, bounded waiting, the servers, packages.
# Source it from a script that has set -euo pipefail. It defines functions and variables, and does nothing else.

PROJECT_DIR=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# A checkout of CI's lives for one run: there, what takes long to install and to compile is kept outside of it.
if [ "${CI:-}" = true ]; then
  CACHE_DIR="${PROTIUM_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/protium}"
  default_target_dir="$CACHE_DIR/target"
  export CARGO_INCREMENTAL=0
else
  CACHE_DIR="${PROTIUM_CACHE_DIR:-$PROJECT_DIR/.cache}"
  default_target_dir="$PROJECT_DIR/target"
fi
PYTHON_DIR="$CACHE_DIR/python"
NODE_DIR="$CACHE_DIR/node"
TOOLS_DIR="$CACHE_DIR/tools"

# One folder for everything that cargo builds, so that no script builds a second time what another one built.
export CARGO_TARGET_DIR="${PROTIUM_TARGET_DIR:-${CARGO_TARGET_DIR:-$default_target_dir}}"

# ---- progress -----------------------------------------------------------------------------------

# Colour only for a person at a terminal, and only if they did not ask for none (https://no-color.org).
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

# elapsed: the time since the script started, as " 12s" or "3m05s".
elapsed() {
  local seconds=$SECONDS
  if [ "$seconds" -lt 60 ]; then printf '%4ds' "$seconds"; else printf '%dm%02ds' $((seconds / 60)) $((seconds % 60)); fi
}

# heading TEXT: a new part of the work.
heading() { printf '\n%s[%s] == %s ==%s\n' "$BOLD" "$(elapsed)" "$*" "$PLAIN"; }

# note TEXT: one line of progress.
note() { printf '%s[%s]%s %s\n' "$DIM" "$(elapsed)" "$PLAIN" "$*"; }

# done_note TEXT: one line of progress, for something that has come true.
done_note() { printf '%s[%s]%s %s%s%s\n' "$DIM" "$(elapsed)" "$PLAIN" "$GREEN" "$*" "$PLAIN"; }

# fail TEXT: says what went wrong and what would help, and ends the script.
fail() {
  printf '%s[%s] error: %s%s\n' "$RED" "$(elapsed)" "$*" "$PLAIN" >&2
  exit 1
}

# ---- cleaning up --------------------------------------------------------------------------------

CLEANUP=()

# on_exit COMMAND [ARGUMENT...]: runs the command when the script ends, however it ends; last one first.
on_exit() {
  local words
  printf -v words '%q ' "$@"
  CLEANUP+=("$words")
  trap run_cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

run_cleanup() {
  local status=$? index
  trap - EXIT INT TERM HUP
  set +e
  for ((index = ${#CLEANUP[@]} - 1; index >= 0; index--)); do eval "${CLEANUP[index]}"; done
  exit "$status"
}

# forget_cleanup: leaves everything running and in place.
forget_cleanup() {
  CLEANUP=()
  trap - EXIT INT TERM HUP
}

# stop_process PID: asks a process of ours to end, and after five seconds no longer asks.
stop_process() {
  local pid=$1 attempt
  kill -TERM "$pid" 2>/dev/null || return 0
  for ((attempt = 0; attempt < 50; attempt++)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL "$pid" 2>/dev/null || true
}

# ---- processes and ports ------------------------------------------------------------------------

# wait_line PATTERN FILE PID SECONDS: prints the first line of FILE that matches, once it is there.
# Fails at once when the process has ended, and after SECONDS in any case.
wait_line() {
  local pattern=$1 file=$2 pid=$3 seconds=$4 attempt line
  for ((attempt = 0; attempt < seconds * 10; attempt++)); do
    line=$(grep -m1 -E -- "$pattern" "$file" 2>/dev/null) && { printf '%s\n' "$line"; return 0; }
    kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# wait_http URL SECONDS: succeeds when the address answers with a status below 400.
wait_http() {
  local url=$1 seconds=$2 attempt
  for ((attempt = 0; attempt < seconds * 5; attempt++)); do
    "$PYTHON_DIR/bin/python" - "$url" <<'PY' && return 0
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=2)
except OSError:
    sys.exit(1)
PY
    sleep 0.2
  done
  return 1
}

# find_free_port: prints a port of 127.0.0.1 that nobody listens on at this moment.
find_free_port() {
  "$PYTHON_DIR/bin/python" -c 'import socket
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    print(probe.getsockname()[1])'
}

# start_emulator LOG [ARGUMENT...]: starts the AWS emulator for as long as this script runs.
# Sets EMULATOR_URL and EMULATOR_PID.
start_emulator() {
  local log=$1 line
  shift
  : >"$log"
  nohup "$PYTHON_DIR/bin/python" "$PROJECT_DIR/scripts/aws-emulator.py" "$@" </dev/null >>"$log" 2>&1 &
  EMULATOR_PID=$!
  on_exit stop_process "$EMULATOR_PID"
  line=$(wait_line '^aws emulator listening on ' "$log" "$EMULATOR_PID" 60) ||
    fail "the AWS emulator did not start; its last words: $(tail -n 5 "$log")"
  EMULATOR_URL=${line##* }
}

# clean_aws_environment: forgets what the caller's shell says about AWS, so that nothing here reaches a real account.
clean_aws_environment() {
  local name
  for name in $(compgen -e | grep -E '^(AWS|PROTIUM)_' | grep -Ev '^PROTIUM_(CACHE|TARGET)_DIR$'); do unset "$name"; done
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true AWS_PAGER=''
  export AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
}

# start_protium PROGRAM DATA_DIR EMULATOR_URL [ARGUMENT...]: starts a server on any free port for as long as this
# script runs; its logs go to DATA_DIR.log. Sets PROTIUM_URL and PROTIUM_PID. Nothing but the emulator takes the
# credentials that it calls AWS with.
start_protium() {
  local program=$1 data_dir=$2 emulator=$3 line
  shift 3
  : >"$data_dir.out"
  AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator nohup "$program" serve --listen 127.0.0.1:0 \
    --data-dir "$data_dir" --aws-endpoint-url "$emulator" "$@" </dev/null >"$data_dir.out" 2>>"$data_dir.log" &
  PROTIUM_PID=$!
  on_exit stop_process "$PROTIUM_PID"
  line=$(wait_line '^protium listening on ' "$data_dir.out" "$PROTIUM_PID" 60) ||
    fail "protium did not start; its last words: $(tail -n 5 "$data_dir.log")"
  # shellcheck disable=SC2034 # for the scripts that source this
  PROTIUM_URL=${line##* }
}

# use_protium DATA_DIR URL: from here on, the AWS CLI and the SDKs talk to that server, as its root user.
use_protium() {
  export AWS_SHARED_CREDENTIALS_FILE="$1/credentials" AWS_ENDPOINT_URL="$2"
  AWS_PROFILE=$(sed -n 's/^\[\(.*\)\]$/\1/p' "$AWS_SHARED_CREDENTIALS_FILE" | head -n 1)
  export AWS_PROFILE
}

# emulator_aws ARGUMENT...: the AWS CLI against the emulator, in its default account.
emulator_aws() {
  env -u AWS_PROFILE AWS_ENDPOINT_URL="$EMULATOR_URL" AWS_ACCESS_KEY_ID=emulator AWS_SECRET_ACCESS_KEY=emulator \
    "$PYTHON_DIR/bin/aws" "$@"
}

# ---- packages -----------------------------------------------------------------------------------

# one_at_a_time NAME: a second script that starts at the same moment waits here until the first one has ended, instead of
# writing over its files.
one_at_a_time() {
  mkdir -p "$CACHE_DIR"
  exec 9>"$CACHE_DIR/$1.lock"
  if command -v flock >/dev/null; then flock 9; fi
}

# need_apt REASON PACKAGE...: installs Debian packages, as root or through sudo.
# Without either, or without apt, it says what to install and fails.
need_apt() {
  local reason=$1 root=()
  shift
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then root=(sudo -n); else
      fail "$reason: please install $* (as root: apt-get install $*)"
    fi
  fi
  command -v apt-get >/dev/null || fail "$reason: please install the equivalent of the Debian packages $*"
  note "installing $* ($reason)"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y "$@" >/dev/null 2>&1 || {
    "${root[@]}" apt-get -qq update >/dev/null
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y "$@" >/dev/null
  }
}

# need_compiler: Rust, and the C compiler that SQLite and the cryptography are built with.
need_compiler() {
  command -v cargo >/dev/null || fail "cargo is not on the PATH: please install Rust from https://rustup.rs"
  command -v cc >/dev/null || need_apt "SQLite and the cryptography are C" build-essential
}

# need_postgres: the programs of a PostgreSQL server, for tests that start their own. No service is left running.
need_postgres() {
  local program
  for program in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres; do
    [ -x "$program" ] && return
  done
  # Debian's package starts a server of its own unless this file says no; what stands there already is respected.
  if [ "$(id -u)" -eq 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  need_apt "the store is tested on PostgreSQL too" postgresql
}

# need_cargo_tool NAME VERSION: a cargo subcommand in that version, from the PATH or built into .cache/tools.
need_cargo_tool() {
  local found
  found=$(cargo "$1" --version 2>/dev/null) || found=none
  # Some say their name before it.
  [ "${found##* }" = "$2" ] && return
  note "building cargo-$1 $2 (once)"
  # Speed of building counts here, not speed of running; and the project's own target folder stays as it is.
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$CACHE_DIR/tools-target" \
    cargo install --quiet --locked --debug --root "$TOOLS_DIR" "cargo-$1@$2"
}
