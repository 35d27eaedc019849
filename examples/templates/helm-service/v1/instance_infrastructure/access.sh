# shellcheck shell=sh
# Sourced by deploy.sh and remove.sh: checks the tools, reaches the cluster, and names the release.

# need PROGRAM REMEDY: ends the run if a program is missing.
need() {
  command -v "$1" >/dev/null || {
    echo "$1 is not among the programs that runs find: $2, on the server or in a folder that it is given with --run-tools" >&2
    exit 127
  }
}

need helm 'install Helm 3.13 or newer'
if [ -n "$EKS_CLUSTER" ]; then
  need aws 'install the AWS CLI, which signs in to the EKS cluster'
  # It goes with the run, as the session of the role does.
  KUBECONFIG=$TMPDIR/kubeconfig
  aws eks update-kubeconfig --name "$EKS_CLUSTER" --kubeconfig "$KUBECONFIG" >/dev/null || exit 1
elif [ ! -r "$KUBECONFIG" ]; then
  echo "runs can't read the kubeconfig $KUBECONFIG of the environment: put it into a folder of --run-tools" >&2
  exit 1
fi
export KUBECONFIG

# Names of Protium are longer than those of Kubernetes, and have capitals and underscores. The hash keeps them apart.
readable=$(printf '%s-%s' "$SERVICE" "$INSTANCE" | tr 'A-Z_' 'a-z-' | cut -c 1-40)
case $readable in [0-9]*) readable=s-$readable ;; esac
RELEASE=$readable-$(printf '%s' "$RESOURCE_ARN" | sha256sum | cut -c 1-8)

# on_release COMMAND [ARGUMENT...]: one of helm's commands on the release.
on_release() {
  command=$1
  shift
  helm "$command" "$RELEASE" --namespace "$NAMESPACE" "$@"
}
