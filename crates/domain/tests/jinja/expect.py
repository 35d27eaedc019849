#!/usr/bin/env python3
"""Writes expected.json: what Jinja2 3.1.6 makes of each snippet of snippets.txt. With `--check`, only says whether that
is what is in the file.

Run it after changing a snippet (`pip install jinja2==3.1.6`, then `python3 expect.py`); the Rust
test reads the committed result, so it needs no Python.
"""

import argparse
import json
import pathlib
import sys

import jinja2

HERE = pathlib.Path(__file__).parent


def snippets():
    """Names and sources, separated by lines that begin with `=== `."""
    name, lines = None, []
    for line in (HERE / "snippets.txt").read_text().split("\n"):
        if line.startswith("=== "):
            if name is not None:
                yield name, "\n".join(lines)
            name, lines = line[4:], []
        else:
            lines.append(line)
    # The last line break of the file ends the last snippet.
    yield name, "\n".join(lines[:-1])


def expected():
    """The text that expected.json is to have."""
    assert jinja2.__version__ == "3.1.6", jinja2.__version__
    context = json.loads((HERE / "context.json").read_text())
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    made = {}
    for name, source in snippets():
        assert name not in made, name
        try:
            made[name] = {"output": environment.from_string(source).render(context)}
        except Exception as error:  # whatever Python raises, rendering must fail
            made[name] = {"error": type(error).__name__}
        assert name.startswith("error: ") == ("error" in made[name]), (name, made[name])
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file has something else")
    file, text = HERE / "expected.json", expected()
    if not parser.parse_args().check:
        file.write_text(text)
    elif file.read_text() != text:
        sys.exit(f"{file.name} is not what Jinja2 {jinja2.__version__} makes of snippets.txt: run {__file__}")


if __name__ == "__main__":
    main()
