#!/usr/bin/env python3
"""Writes expected.json: what Jinja2 3.1.6 makes of each snippet of snippets.txt.

Run it after changing a snippet (`pip install jinja2==3.1.6`, then `python3 expect.py`); the Rust
test reads the committed result, so tests need no Python.
"""

import json
import pathlib

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


def main():
    assert jinja2.__version__ == "3.1.6", jinja2.__version__
    context = json.loads((HERE / "context.json").read_text())
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    expected = {}
    for name, source in snippets():
        assert name not in expected, name
        try:
            expected[name] = {"output": environment.from_string(source).render(context)}
        except Exception as error:  # whatever Python raises, rendering must fail
            expected[name] = {"error": type(error).__name__}
        assert name.startswith("error: ") == ("error" in expected[name]), (name, expected[name])
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (HERE / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
