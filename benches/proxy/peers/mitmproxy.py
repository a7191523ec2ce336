"""Hides what $HIDDEN matches from pages of the simple API; whatever is no page is streamed."""

import json
import os
import re

HIDDEN = re.compile(os.environ["HIDDEN"])
LINE = re.compile(r'^.*<a [^>]*>([^<]*)</a>.*\n?', re.MULTILINE)
UNIT = re.compile(r"[-_.]+")


def is_hidden(name):
    """A project's name, or the name of a file: what stands before its version."""
    if name.endswith((".whl", ".tar.gz", ".zip", ".egg")):
        name = name.split("-", 1)[0] if name.endswith((".whl", ".egg")) else name.rsplit("-", 1)[0]
    return HIDDEN.fullmatch(UNIT.sub("-", name).lower()) is not None


def responseheaders(flow):
    flow.response.stream = not flow.request.path.startswith("/simple/")


def response(flow):
    if not flow.request.path.startswith("/simple/") or flow.response.status_code != 200:
        return
    if "json" in flow.response.headers["content-type"]:
        page = json.loads(flow.response.text)
        for key, name in (("files", "filename"), ("projects", "name")):
            if key in page:
                page[key] = [entry for entry in page[key] if not is_hidden(entry[name])]
        flow.response.text = json.dumps(page, separators=(",", ":"))
    else:
        flow.response.text = LINE.sub(lambda line: "" if is_hidden(line[1]) else line[0], flow.response.text)
