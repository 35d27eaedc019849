#!/usr/bin/env python3
"""An AWS on this machine, for the tests and the demo: moto's server, with what its CloudFormation lacks.

Prints "aws emulator listening on http://127.0.0.1:PORT" when it answers. State is in memory and ends with it.
Any access key is accepted; a session from sts:AssumeRole acts in the account of the role, so several accounts work.

Each fix below is a function that replaces one thing in moto, and says why it must. They are written against the
moto version that scripts/requirements.txt pins; `fix` refuses to replace something that is no longer there.
"""

import argparse
import base64
import logging
import os
import re
import signal
import sys
import threading
import time
import warnings

import cfn_template

FIXES = []


def fix(function):
    """Registers a fix: a function without parameters that changes moto in this process."""
    FIXES.append(function)
    return function


def replace(owner, name, make):
    """Puts make(original) in the place of owner.name."""
    original = getattr(owner, name)
    setattr(owner, name, make(original))


# ---- reading templates --------------------------------------------------------------------------


def load_template(text):
    from moto.cloudformation.exceptions import ValidationError

    try:
        return cfn_template.load(text)
    except cfn_template.TemplateError as cause:
        raise ValidationError(message=str(cause)) from cause


@fix
def templates_are_read_as_cloudformation_reads_them():
    # moto's own loader takes "Version: 2012-10-17" for a date, the account 000000000001 for the number 1, leaves short
    # forms inside short forms alone, does not know !GetAtt on a list, and answers 500 to what it can't read.
    from moto.cloudformation import models

    models.Stack.parse_template = staticmethod(load_template)

    def parse_change_set(change_set):
        change_set.template_dict = load_template(change_set.template)

    models.ChangeSet._parse_template = parse_change_set


@fix
def availability_zones_of_a_region_given_by_reference():
    # moto takes the argument of Fn::GetAZs for text; templates say {Ref: AWS::Region}, or "" for the stack's own region.
    from moto.cloudformation import parsing

    def make(original):
        def clean_json(value, resources):
            if isinstance(value, dict) and "Fn::GetAZs" in value:
                region = clean_json(value["Fn::GetAZs"], resources) or clean_json({"Ref": "AWS::Region"}, resources)
                return [f"{region}{zone}" for zone in "abc"]
            return original(value, resources)

        return clean_json

    replace(parsing, "clean_json", make)


# ---- resources ----------------------------------------------------------------------------------


class Placeholder:
    """A resource of a type that moto can't provision: it has a name, an ARN and plausible attributes, and does nothing."""

    def __init__(self, name, resource_type, properties, account, region):
        _, service, kind = (resource_type.split("::") + ["", ""])[:3]
        self.properties = properties
        self.physical_resource_id = next(
            (properties[key] for key in ("Name", f"{kind}Name") if isinstance(properties.get(key), str)), name
        )
        self.arn = f"arn:aws:{service.lower()}:{region}:{account}:{kind.lower()}/{self.physical_resource_id}"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json.get("Properties", {})
        return cls(resource_name, cloudformation_json["Type"], properties, account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, cloudformation_json, **kwargs):
        original_resource.properties = cloudformation_json.get("Properties", {})
        return original_resource

    def delete(self, account_id, region_name):
        """Nothing was made, so there is nothing to delete."""

    def is_created(self):
        return True

    @classmethod
    def has_cfn_attr(cls, attribute):
        return True

    def get_cfn_attribute(self, attribute):
        if attribute.lower().endswith("arn"):
            return self.arn
        value = self.properties.get(attribute)
        return value if isinstance(value, (str, int)) else f"{self.physical_resource_id}-{attribute}"


@fix
def unknown_resource_types_get_a_placeholder():
    # moto skips what it does not know, and whatever refers to it then fails.
    from moto.cloudformation import parsing

    def make(original):
        def resource_class_from_type(resource_type):
            known = original(resource_type)
            return Placeholder if known is None and resource_type not in parsing.NULL_MODELS else known

        return resource_class_from_type

    replace(parsing, "resource_class_from_type", make)


@fix
def a_resource_without_an_update_stays():
    # For a type that moto can create but not update it puts nothing in the resource's place, and then never deletes it.
    from moto.cloudformation import parsing

    def make(original):
        def parse_and_update_resource(logical_id, resource_json, resources, **where):
            updated = original(logical_id, resource_json, resources, **where)
            return resources[logical_id] if updated is None else updated

        return parse_and_update_resource

    replace(parsing, "parse_and_update_resource", make)


@fix
def target_groups_have_attributes():
    # moto's have none at all for Fn::GetAtt.
    from moto.elbv2.models import FakeTargetGroup

    attributes = {
        "TargetGroupArn": lambda group: group.arn,
        "TargetGroupFullName": lambda group: group.arn.rsplit(":", 1)[1],
        "TargetGroupName": lambda group: group.name,
    }
    FakeTargetGroup.has_cfn_attr = classmethod(lambda cls, attribute: attribute in attributes)
    FakeTargetGroup.get_cfn_attribute = lambda group, attribute: attributes[attribute](group)


def service_counts_are_numbers(properties):
    # CloudFormation takes DesiredCount: "2"; moto compares it with a number.
    if "DesiredCount" in properties:
        properties["DesiredCount"] = int(properties["DesiredCount"])


def rules_for_all_protocols_have_all_ports(properties):
    # A rule with IpProtocol -1 has no ports; moto requires them.
    for rule in properties.get("SecurityGroupIngress", []) + properties.get("SecurityGroupEgress", []):
        rule.setdefault("FromPort", -1)
        rule.setdefault("ToPort", -1)


ADJUSTMENTS = {
    "AWS::ECS::Service": service_counts_are_numbers,
    "AWS::EC2::SecurityGroup": rules_for_all_protocols_have_all_ports,
}


@fix
def properties_are_adjusted_to_what_moto_takes():
    from moto.cloudformation import parsing

    def make(original):
        def parse_resource(resource_json, resources):
            parsed = original(resource_json, resources)
            if parsed:
                _, cleaned, resource_type = parsed
                ADJUSTMENTS.get(resource_type, lambda properties: None)(cleaned["Properties"])
            return parsed

        return parse_resource

    replace(parsing, "parse_resource", make)


@fix
def generated_repository_names_are_valid():
    # ECR takes lower case and single dashes only, as moto's ECR rightly insists; moto's CloudFormation generates neither.
    from moto.cloudformation import parsing

    def make(original):
        def generate_resource_name(resource_type, stack_name, logical_id):
            name = original(resource_type, stack_name, logical_id)
            return re.sub("-+", "-", name.lower()) if resource_type == "AWS::ECR::Repository" else name

        return generate_resource_name

    replace(parsing, "generate_resource_name", make)


@fix
def names_of_target_groups_may_have_double_dashes():
    # Names generated from a stack's name carry its "--"; AWS accepts that, moto's pattern does not.
    from moto.elbv2 import models

    def make(original):
        def create_target_group(backend, name, *arguments, **options):
            group = original(backend, name.replace("--", "-"), *arguments, **options)
            group.name = name
            return group

        return create_target_group

    replace(models.ELBv2Backend, "create_target_group", make)


@fix
def route_tables_are_deleted_with_their_stack():
    # moto knows no way to delete one, so the deletion of every VPC fails.
    from moto.ec2.models import ec2_backends, route_tables

    def delete(table, account_id, region_name):
        table._associations.clear()
        ec2_backends[account_id][region_name].delete_route_table(table.id)

    route_tables.RouteTable.delete = delete


@fix
def buckets_that_hold_objects_are_not_deleted():
    # moto leaves such a bucket alone and tells CloudFormation that it is gone.
    from moto.s3 import exceptions, models

    def make(original):
        def delete(cls, resource_name, cloudformation_json, account_id, region_name):
            if models.s3_backends[account_id]["aws"].get_bucket(resource_name).keys:
                raise exceptions.BucketNotEmpty(resource_name)
            return original(resource_name, cloudformation_json, account_id, region_name)

        return classmethod(delete)

    replace(models.FakeBucket, "delete_from_cloudformation_json", make)


@fix
def inline_code_is_packed_at_an_update_too():
    # moto packs the source text of Code.ZipFile when it creates a function, and takes it for an archive afterwards.
    from moto.awslambda.models import LambdaFunction

    def make(original):
        def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
            code = cloudformation_json["Properties"]["Code"]
            if "ZipFile" in code:
                code["ZipFile"] = base64.b64encode(cls._create_zipfile_from_plaintext_code(code["ZipFile"]))
            return original(original_resource, new_resource_name, cloudformation_json, account_id, region_name)

        return classmethod(update)

    replace(LambdaFunction, "update_from_cloudformation_json", make)


@fix
def permissions_for_functions_that_are_placeholders():
    # AWS::Serverless::Function is a placeholder here, which moto's Lambda does not find.
    from moto.awslambda import models

    def make(original):
        def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
            try:
                return original(resource_name, cloudformation_json, account_id, region_name, **kwargs)
            except models.UnknownFunctionException:
                return Placeholder.create_from_cloudformation_json(
                    resource_name, cloudformation_json, account_id, region_name
                )

        return classmethod(create)

    replace(models.Permission, "create_from_cloudformation_json", make)


# ---- stacks that fail ---------------------------------------------------------------------------


def reason_of(cause):
    """What CloudFormation would show: the service's message, or what the template refers to in vain."""
    if isinstance(cause, KeyError):
        return f"Unresolved resource dependency {cause}"
    return str(getattr(cause, "message", None) or cause or type(cause).__name__)


def record_failure(stack, cause):
    """Appends the event of the resource that failed, as far as it is known."""
    from moto.cloudformation.models import Event

    logical_id = getattr(cause, "failed_resource", None)
    if logical_id:
        resource_type = stack.template_dict["Resources"].get(logical_id, {}).get("Type", "")
        stack.events.append(
            Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=logical_id,
                physical_resource_id="",
                resource_type=resource_type,
                resource_status=cause.failed_status,
                resource_status_reason=reason_of(cause),
                resource_properties=None,
            )
        )


def forget_resources(stack):
    """Empties a stack that is gone: moto makes resources on demand, so showing its outputs would make them again."""
    from moto.cloudformation.parsing import OutputMap

    stack.resource_map._resource_json_map = {}
    stack.output_map = OutputMap(stack.resource_map, {}, stack.stack_id)


def settle(stack, status, cause):
    stack._add_stack_event(status, resource_status_reason=reason_of(cause))
    stack.status = status
    stack.stack_status_reason = reason_of(cause)


@fix
def failures_name_their_resource():
    from moto.cloudformation import parsing

    def make(original, status):
        def parse_and_act(logical_id, *arguments, **options):
            try:
                return original(logical_id, *arguments, **options)
            except Exception as cause:
                if not hasattr(cause, "failed_resource"):  # the innermost one is the culprit
                    cause.failed_resource, cause.failed_status = logical_id, status
                raise

        return parse_and_act

    def make_delete(original):
        def delete_resource(resources, resource, resource_json):
            try:
                original(resources, resource, resource_json)
            except Exception as cause:
                cause.failed_resource, cause.failed_status = resource.logical_resource_id, "DELETE_FAILED"
                raise

        return delete_resource

    replace(parsing, "parse_and_create_resource", lambda original: make(original, "CREATE_FAILED"))
    replace(parsing, "parse_and_update_resource", lambda original: make(original, "UPDATE_FAILED"))
    replace(parsing.ResourceMap, "_delete_resource", make_delete)


@fix
def failed_creations_roll_back():
    # moto answers the call with the error of the resource and leaves the stack in CREATE_IN_PROGRESS for ever.
    from moto.cloudformation import models

    def make(original):
        def create_resources(stack):
            try:
                original(stack)
            except Exception as cause:
                record_failure(stack, cause)
                stack._add_stack_event("ROLLBACK_IN_PROGRESS", resource_status_reason=reason_of(cause))
                try:
                    stack.resource_map.delete()
                except Exception as second:
                    settle(stack, "ROLLBACK_FAILED", second)
                else:
                    forget_resources(stack)
                    settle(stack, "ROLLBACK_COMPLETE", cause)

        return create_resources

    replace(models.Stack, "create_resources", make)


@fix
def failed_updates_roll_back():
    # As above: a failed update must leave the template, the resources and the outputs of before.
    from moto.cloudformation import models

    def make(original):
        def update(stack, template, role_arn=None, parameters=None, tags=None):
            load_template(template)  # a template that can't be read is an error of the call, not of the stack
            before = stack.template
            try:
                original(stack, template, role_arn=role_arn, parameters=parameters, tags=tags)
            except Exception as cause:
                record_failure(stack, cause)
                stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", resource_status_reason=reason_of(cause))
                try:
                    stack.template = before
                    stack._parse_template()
                    stack.resource_map.update(stack.template_dict, stack.parameters)
                    stack.output_map = stack._create_output_map()
                except Exception as second:
                    settle(stack, "UPDATE_ROLLBACK_FAILED", second)
                else:
                    settle(stack, "UPDATE_ROLLBACK_COMPLETE", cause)

        return update

    replace(models.Stack, "update", make)


@fix
def failed_deletions_leave_the_stack():
    # moto forgets the stack first and deletes its resources afterwards, whether that works or not.
    from moto.cloudformation import models

    def make(original):
        def delete_stack(backend, name_or_id):
            live = [stack for stack in backend.stacks.values() if name_or_id in (stack.name, stack.stack_id)]
            for stack in live:
                try:
                    original(backend, stack.stack_id)
                except Exception as cause:
                    backend.stacks[stack.stack_id] = stack
                    record_failure(stack, cause)
                    settle(stack, "DELETE_FAILED", cause)
                else:
                    forget_resources(stack)

        return delete_stack

    replace(models.CloudFormationBackend, "delete_stack", make)


@fix
def updates_without_a_change_are_refused():
    # moto notices only if the template has parameters; rendered templates have none.
    from moto.cloudformation import exceptions, models

    def make(original):
        def update_stack(backend, name, template, role_arn, parameters, tags):
            stack = backend.get_stack(name)
            same_parameters = not parameters or backend._resolve_update_parameters(stack, parameters) == stack.parameters
            if stack.has_template(template) and same_parameters and tags in (None, stack.tags):
                raise exceptions.ValidationError(message="No updates are to be performed.")
            return original(backend, name, template, role_arn, parameters, tags)

        return update_stack

    replace(models.CloudFormationBackend, "update_stack", make)


# ---- the server ---------------------------------------------------------------------------------


def end_with(pid):
    """Ends this process when the process with that id has ended."""

    def watch():
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                os._exit(0)
            except PermissionError:
                pass  # somebody else's, and alive
            time.sleep(0.5)

    threading.Thread(target=watch, daemon=True).start()


def serve(host, port):
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server(host, port, DomainDispatcherApplication(create_backend_app), threaded=True)
    print(f"aws emulator listening on http://{host}:{server.port}", flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description="An AWS on this machine, for tests and demonstrations.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--parent-pid", type=int, help="end when the process with this id ends")
    parser.add_argument("--verbose", action="store_true", help="log every request to standard error")
    options = parser.parse_args()

    if not options.verbose:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        logging.getLogger("moto").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: os._exit(0))
    if options.parent_pid:
        end_with(options.parent_pid)
    for apply in FIXES:
        apply()
    try:
        serve(options.host, options.port)
    except OSError as cause:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {cause.strerror or cause}")


if __name__ == "__main__":
    main()
