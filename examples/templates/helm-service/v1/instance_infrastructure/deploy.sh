#!/bin/sh
# Installs or upgrades the release of a service instance, waits until it is ready, and leaves the outputs.
set -eu
. ./access.sh
: >"$PROTIUM_STATE_DIR/begun"

# A run that was stopped half way leaves the release locked. Protium begins no second run of an instance while there is
# one: whoever locked it is gone.
case $(on_release status 2>/dev/null | sed -n 's/^STATUS: //p') in
  pending-install) on_release uninstall --wait --timeout 5m ;;
  pending-upgrade | pending-rollback) on_release rollback --wait --timeout 5m ;;
esac

on_release upgrade ./chart --install --create-namespace --values proton-inputs.json --wait --timeout 10m --history-max 10

cat >proton-outputs.json <<END
{
  "Release": "$RELEASE",
  "Namespace": "$NAMESPACE",
  "URL": "http://$RELEASE.$NAMESPACE.svc",
  "Image": "$IMAGE",
  "Replicas": $REPLICAS
}
END
