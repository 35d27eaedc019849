#!/bin/sh
# Removes what provision.sh made, also when that came only half way. Protium removes the folder itself afterwards.
set -eu

cd "$PROTIUM_STATE_DIR"
rm -rf site site.new token token.new token-version revision
echo 'removed the site and the token'
