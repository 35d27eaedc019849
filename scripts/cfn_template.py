"""CloudFormation templates as AWS reads them: text in, plain dictionaries out, or the error that AWS would answer.

Knows nothing of resource types and provisions nothing; the emulator does.
"""

import re

import yaml


class TemplateError(Exception):
    """The template is refused; the text is what CloudFormation says."""


class Loader(yaml.SafeLoader):
    """YAML with the short forms of functions, without dates, and with numbers that keep no leading zero."""

    def function(self, suffix, node):
        """Turns a tag such as !GetAtt, on a node of any kind, into the long form of the function."""
        if isinstance(node, yaml.ScalarNode):
            argument = self.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            argument = self.construct_sequence(node, deep=True)
        else:
            argument = self.construct_mapping(node, deep=True)
        if suffix == "GetAtt" and isinstance(argument, str):
            argument = argument.split(".", 1)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": argument}

    @classmethod
    def prepare(cls):
        # "Version: 2012-10-17" is text to CloudFormation, and so is the account 000000000001.
        text_instead = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int")
        cls.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag not in text_instead]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        integer = re.compile(r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+)$")
        cls.add_implicit_resolver("tag:yaml.org,2002:int", integer, list("-+0123456789"))
        cls.add_multi_constructor("!", cls.function)


Loader.prepare()


def load(text):
    """Reads a template in YAML or JSON and checks what CloudFormation checks before it creates anything."""
    try:
        template = yaml.load(text, Loader=Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise TemplateError(f"Template format error: YAML not well-formed.{where}") from cause
    except yaml.YAMLError as cause:
        raise TemplateError("Template format error: YAML not well-formed.") from cause
    check(template)
    return template


def check(template):
    if not isinstance(template, dict):
        raise TemplateError("Template format error: unsupported structure.")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise TemplateError("Template format error: At least one Resources member must be defined.")
    for name, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise TemplateError(f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member.")
    for path in nulls(template, ""):
        raise TemplateError(f"[{path}] 'null' values are not allowed in templates")
    if "Transform" not in template:  # a transform makes resources of its own
        known = set(resources) | set(template.get("Parameters") or {})
        for block in ("Resources", "Outputs"):
            missing = sorted(set(references(template.get(block) or {})) - known)
            if missing:
                raise TemplateError(
                    f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
                    f"in the {block} block of the template"
                )


def nulls(value, path):
    """The paths of all nulls."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from nulls(member, f"{path}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from nulls(member, f"{path}/{index}")


def references(value):
    """The logical names that a part of a template refers to. Pseudo parameters are none."""
    if isinstance(value, list):
        for member in value:
            yield from references(member)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key == "Ref" and isinstance(member, str):
                names = [member]
            elif key == "Fn::GetAtt" and isinstance(member, (list, str)):
                names = [member[0] if isinstance(member, list) else member.split(".")[0]]
            elif key == "Fn::Sub":
                names = substituted(member)
            else:
                names = []
            yield from (name for name in names if isinstance(name, str) and not name.startswith("AWS::"))
            if key != "Ref":
                yield from references(member)


def substituted(argument):
    """The names in the ${...} of a Fn::Sub, without those that it defines itself."""
    text, own = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str):
        return []
    found = re.findall(r"\$\{([^!}][^}]*)\}", text)
    return [name.strip().split(".")[0] for name in found if name.strip() not in own]
