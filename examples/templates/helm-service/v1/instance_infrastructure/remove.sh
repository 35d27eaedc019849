#!/bin/sh
# Removes the release of a service instance. The namespace stays.
set -eu

# Where no deployment came so far as to need the cluster, none is needed to remove what it made.
if [ ! -e "$PROTIUM_STATE_DIR/begun" ] && ! (. ./access.sh); then
  echo 'nothing was ever installed: there is nothing to remove'
  exit 0
fi
. ./access.sh
on_release uninstall --ignore-not-found --wait --timeout 10m
