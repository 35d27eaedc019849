"""Times Jinja2 on the largest template of the examples, for so many seconds each.

Prints as JSON: the template's path, the namespace, what it renders to, and how often per second Jinja2 compiles and
renders it, and only renders it. The cases are those that scripts/lint-examples.py checks.
"""

import importlib.util
import json
import pathlib
import sys
import time

import jinja2

SCRIPT = pathlib.Path(__file__).resolve().parents[4] / "scripts" / "lint-examples.py"


def examples():
    spec = importlib.util.spec_from_file_location("examples", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rate(seconds, work):
    work()
    began = now = time.perf_counter()
    done = 0
    while now - began < seconds:
        work()
        done += 1
        now = time.perf_counter()
    return done / (now - began)


def main():
    seconds = float(sys.argv[1])
    module = examples()
    size = lambda case: (module.EXAMPLES / case[0]).stat().st_size
    path, namespace = max(module.cases(), key=lambda case: (size(case), len(module.render(*case))))
    source = (module.EXAMPLES / path).read_text()
    engine = jinja2.Environment(undefined=jinja2.StrictUndefined)
    template = engine.from_string(source)
    json.dump(
        {
            "path": path,
            "namespace": namespace,
            "rendered": template.render(**namespace),
            "compile_and_render": rate(seconds, lambda: engine.from_string(source).render(**namespace)),
            "render": rate(seconds, lambda: template.render(**namespace)),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
