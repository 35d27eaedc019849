#!/usr/bin/env bash
# Shows what Protium does, end to end and for real: builds it, starts it beside an emulator of AWS, and lets the plain
# AWS CLI register templates, create an environment and a service with two instances and a pipeline, update and delete.
#
#   scripts/demo.sh          everything stops and disappears at the end
#   scripts/demo.sh --keep   leaves it all running to play with, and says how to stop it
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

keep=no
case "${1:-}" in
  '') ;;
  --keep) keep=yes ;;
  -h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  *)
    echo "unknown argument '$1'; usage: scripts/demo.sh [--keep]" >&2
    exit 2
    ;;
esac

account=123456789012 # the emulator's default account, so that ARNs of Protium and of AWS name the same one
bucket=template-bundles
environment=fargate-dev
service=storefront

# ---- talking to Protium -------------------------------------------------------------------------

# cli ARGUMENT...: shows the command and runs it; its answer goes to a file, to be shown if it fails.
cli() {
  note "\$ aws $*"
  "$PYTHON_DIR/bin/aws" --output json "$@" >"$demo_dir/answer" 2>&1 || {
    cat "$demo_dir/answer" >&2
    fail "the command above failed; the server's log ends: $(tail -n 5 "$data_dir.log")"
  }
}

# query PATH ARGUMENT...: runs the command quietly and prints the part of the answer that the path selects.
query() {
  local path=$1
  shift
  "$PYTHON_DIR/bin/aws" --output text --query "$path" "$@"
}

# wait_for WHAT ARGUMENT...: waits with the CLI's own waiter, ten minutes at most, and says why it did not come true.
wait_for() {
  local what=$1 status=0
  shift
  note "\$ aws proton wait $*"
  timeout 600 "$PYTHON_DIR/bin/aws" proton wait "$@" >"$demo_dir/answer" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    cat "$demo_dir/answer" >&2
    query 'environment.[deploymentStatus,deploymentStatusMessage]' proton get-environment --name "$environment" >&2 || true
    query 'service.[status,statusMessage,pipeline.deploymentStatusMessage]' proton get-service --name "$service" >&2 || true
    fail "$what did not come true; the server's log ends: $(tail -n 5 "$data_dir.log")"
  fi
  done_note "$what"
}

# outputs TITLE ARGUMENT...: a table of what a list-…-outputs command answers.
outputs() {
  local title=$1 key value
  shift
  printf '\n  %s%s%s\n' "$BOLD" "$title" "$PLAIN"
  query 'outputs[].[key,valueString]' proton "$@" | while IFS=$'\t' read -r key value; do
    printf '    %-22s %s\n' "$key" "$value"
  done
}

# upload_bundle TEMPLATE: packs a folder of examples/templates and puts it into the bundle store.
upload_bundle() {
  tar -C "$PROJECT_DIR/examples/templates/$1/v1" -czf "$demo_dir/$1.tar.gz" .
  cli s3 cp --only-show-errors "$demo_dir/$1.tar.gz" "s3://$bucket/$1.tar.gz"
}

# ---- the story ----------------------------------------------------------------------------------

prepare() {
  heading "Setting up (the first time takes some minutes: Protium is compiled)"
  "$PROJECT_DIR/scripts/python-env.sh"
  need_compiler
  note "\$ cargo build --package protium"
  (cd "$PROJECT_DIR" && cargo build --quiet --locked --package protium) || fail "Protium does not compile"
  done_note "Protium is built"

  demo_dir=$(mktemp -d "${TMPDIR:-/tmp}/protium-demo.XXXXXX")
  data_dir="$demo_dir/data"
  on_exit rm -rf "$demo_dir"
  clean_aws_environment
  if [ "$keep" = yes ]; then start_emulator "$demo_dir/emulator.log"; else
    start_emulator "$demo_dir/emulator.log" --parent-pid $$
  fi
  done_note "AWS emulator at $EMULATOR_URL"
  start_protium "$CARGO_TARGET_DIR/debug/protium" "$data_dir" "$EMULATOR_URL" --account-id "$account"
  use_protium "$data_dir" "$PROTIUM_URL"
  done_note "Protium at $PROTIUM_URL; the AWS CLI now talks to it: $(query Arn sts get-caller-identity)"
}

register_templates() {
  heading "A platform team publishes two templates"
  cli s3 mb "s3://$bucket"
  upload_bundle fargate-environment
  upload_bundle load-balanced-service

  cli proton create-environment-template --name fargate-environment
  cli proton create-environment-template-version --template-name fargate-environment \
    --source "s3={bucket=$bucket,key=fargate-environment.tar.gz}"
  wait_for "fargate-environment 1.0 is registered" environment-template-version-registered \
    --template-name fargate-environment --major-version 1 --minor-version 0
  cli proton update-environment-template-version --template-name fargate-environment \
    --major-version 1 --minor-version 0 --status PUBLISHED

  cli proton create-service-template --name load-balanced-service
  cli proton create-service-template-version --template-name load-balanced-service \
    --source "s3={bucket=$bucket,key=load-balanced-service.tar.gz}" \
    --compatible-environment-templates templateName=fargate-environment,majorVersion=1
  wait_for "load-balanced-service 1.0 is registered" service-template-version-registered \
    --template-name load-balanced-service --major-version 1 --minor-version 0
  cli proton update-service-template-version --template-name load-balanced-service \
    --major-version 1 --minor-version 0 --status PUBLISHED
}

create_environment() {
  heading "The platform team creates an environment"
  cli proton update-account-settings --pipeline-service-role-arn "arn:aws:iam::$account:role/protium-pipelines"
  cli proton create-environment --name "$environment" --template-name fargate-environment --template-major-version 1 \
    --proton-service-role-arn "arn:aws:iam::$account:role/protium-environments" \
    --spec "file://$PROJECT_DIR/examples/templates/fargate-environment/spec.yaml"
  wait_for "$environment is deployed" environment-deployed --name "$environment"
  outputs "Outputs of the environment" list-environment-outputs --environment-name "$environment"
}

create_service() {
  heading "A developer creates a service with two instances and a pipeline"
  cli proton create-service --name "$service" --template-name load-balanced-service --template-major-version 1 \
    --repository-connection-arn "arn:aws:codestar-connections:$AWS_REGION:$account:connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11" \
    --repository-id example/storefront --branch-name main \
    --spec "file://$PROJECT_DIR/examples/templates/load-balanced-service/spec.yaml"
  wait_for "$service is created" service-created --name "$service"
  outputs "Outputs of the instance dev" list-service-instance-outputs --service-name "$service" --service-instance-name dev
  outputs "Outputs of the instance prod" list-service-instance-outputs --service-name "$service" --service-instance-name prod
  outputs "Outputs of the pipeline, which knows the instances' addresses" list-service-pipeline-outputs --service-name "$service"
  printf '\n  %sWhat CloudFormation was asked for%s\n' "$BOLD" "$PLAIN"
  show_stacks
}

show_stacks() {
  emulator_aws cloudformation describe-stacks --output text --query 'Stacks[].[StackStatus,StackName]' |
    while IFS=$'\t' read -r status name; do printf '    %-22s %s\n' "$status" "$name"; done
}

update_instance() {
  heading "The pipeline deploys a new image to one instance"
  query service.spec proton get-service --name "$service" >"$demo_dir/spec.yaml"
  "$PYTHON_DIR/bin/python" - "$demo_dir/spec.yaml" <<'PY'
import sys, yaml
path = sys.argv[1]
with open(path) as file:
    spec = yaml.safe_load(file)
next(entry for entry in spec["instances"] if entry["name"] == "dev")["spec"]["image"] = "public.ecr.aws/nginx/nginx:1.29"
with open(path, "w") as file:
    yaml.safe_dump(spec, file, sort_keys=False)
PY
  cli proton update-service-instance --service-name "$service" --name dev --deployment-type CURRENT_VERSION \
    --spec "file://$demo_dir/spec.yaml"
  wait_for "dev is updated" service-instance-deployed --service-name "$service" --name dev
  note "dev runs $(query "outputs[?key=='Image'].valueString" proton list-service-instance-outputs \
    --service-name "$service" --service-instance-name dev)"
  note "prod runs $(query "outputs[?key=='Image'].valueString" proton list-service-instance-outputs \
    --service-name "$service" --service-instance-name prod)"
}

delete_everything() {
  heading "And all of it goes away again"
  cli proton delete-service --name "$service"
  wait_for "$service is deleted" service-deleted --name "$service"
  cli proton delete-environment --name "$environment"
  local attempt
  for ((attempt = 0; attempt < 120; attempt++)); do
    query environment.deploymentStatus proton get-environment --name "$environment" >/dev/null 2>&1 || break
    sleep 1
  done
  local left
  left=$(emulator_aws cloudformation describe-stacks --output text --query 'length(Stacks)')
  [ "$left" = 0 ] || { show_stacks; fail "$left stacks are left"; }
  done_note "$environment is deleted; CloudFormation has no stack left"
}

say_goodbye() {
  heading "Done"
  if [ "$keep" = no ]; then
    cat <<TEXT
Next:
  scripts/demo.sh --keep                          the same, left running to play with
  examples/templates/                             the templates, to start your own from
  $CARGO_TARGET_DIR/debug/protium serve --help
                                                  a server of your own, against AWS itself
The emulator, the server and their data are gone: nothing to clean up.
TEXT
    return
  fi
  forget_cleanup
  cat <<TEXT
Protium runs at $PROTIUM_URL. In another terminal:
  export PATH="$PYTHON_DIR/bin:\$PATH" AWS_ENDPOINT_URL=$PROTIUM_URL AWS_REGION=$AWS_REGION \\
    AWS_SHARED_CREDENTIALS_FILE=$AWS_SHARED_CREDENTIALS_FILE AWS_PROFILE=$AWS_PROFILE
  aws proton list-service-instances
  aws proton get-service --name $service
  aws proton delete-service --name $service && aws proton wait service-deleted --name $service
The server's log is $data_dir.log; the emulator of AWS is at $EMULATOR_URL.
To clean up:
  kill $PROTIUM_PID $EMULATOR_PID; rm -r $demo_dir
TEXT
}

prepare
register_templates
create_environment
create_service
update_instance
[ "$keep" = yes ] || delete_everything
say_goodbye
