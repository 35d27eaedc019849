#!/bin/sh
# Checks that the environment says how its cluster is reached, and passes that on to services as outputs.
set -eu

case "${KUBECONFIG_PATH:+kubeconfig}${EKS_CLUSTER:+eks}" in
  kubeconfig)
    [ -r "$KUBECONFIG_PATH" ] || {
      echo "kubeconfig: runs can't read $KUBECONFIG_PATH: put it into a folder that the server is given with --run-tools" >&2
      exit 1
    }
    ;;
  eks) ;;
  '')
    echo 'give kubeconfig (a file on the server) or eks_cluster (a name)' >&2
    exit 1
    ;;
  *)
    echo "give kubeconfig ($KUBECONFIG_PATH) or eks_cluster ($EKS_CLUSTER), not both" >&2
    exit 1
    ;;
esac

# The schema lets none of them have a character that JSON would quote.
cat >proton-outputs.json <<END
{"Namespace": "$NAMESPACE", "Kubeconfig": "$KUBECONFIG_PATH", "Context": "$CONTEXT", "EksCluster": "$EKS_CLUSTER"}
END
