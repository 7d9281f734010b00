"""Writes the Postman collection and its environments into openapi/, from the OpenAPI documents there and story.py.

    python3 postman/generate.py            writes them
    python3 postman/generate.py --check    says whether they are what it would write
"""

import json
import pathlib
import sys
import uuid

from story import FOLDERS

OPENAPI = pathlib.Path(__file__).resolve().parent.parent / "openapi"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
NAMES = {"sender": "alice", "recipient": "bob", "witness": "carol"}
DESCRIPTION = """A walk through a Raclette network: status, send, mine, read, agree, and what errors look like. It runs from top to \
bottom, by hand or with the collection runner, against the network that `cargo run --release` or `docker-compose up` starts.

Choose an environment first. The one of docker-compose has its demonstration tokens; for the one of cargo, paste the contents \
of `raclette-data/alice/token` and `raclette-data/bob/token` into `sender_token` and `recipient_token`.

Every peer serves this collection at `/postman.json`, with the URLs and names of its own network."""


def stable_id(name):
    """The same id for the same name, so that the files change only when their contents do."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"raclette:{name}"))


def operations():
    """Every operation of both documents: (document, operation id) to (method, path, operation)."""
    found = {}
    for document in ("peer", "tracker"):
        paths = json.loads((OPENAPI / f"{document}.json").read_text(encoding="utf-8"))["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                found[document, operation["operationId"]] = (method.upper(), path, operation)
    return found


def item(request, known):
    """One request, as Postman wants it."""
    if request.literal:
        method, path, description = "GET", request.literal, "A path that no operation has."
    else:
        document = "tracker" if request.to == "tracker" else "peer"
        method, path, operation = known[document, request.operation]
        description = "\n\n".join(filter(None, [operation["summary"], operation.get("description")]))
        if str(request.status) not in operation["responses"]:
            raise SystemExit(f"{request.name}: {request.operation} does not answer {request.status}")
    for name, value in request.path.items():
        path = path.replace(f"{{{name}}}", value)
    headers = dict(request.headers)
    if request.owner:
        headers["Authorization"] = f"Bearer {{{{{request.to}_token}}}}"
    url = {"raw": f"{{{{{request.to}}}}}{path}", "host": [f"{{{{{request.to}}}}}"], "path": path.strip("/").split("/")}
    if request.query:
        url["raw"] += "?" + "&".join(f"{name}={value}" for name, value in request.query.items())
        url["query"] = [{"key": name, "value": value} for name, value in request.query.items()]
    answer = {"method": method, "header": [], "url": url, "description": description}
    if request.body is not None or request.raw:
        headers["Content-Type"] = "application/json"
        raw = request.raw or json.dumps(request.body, indent=2)
        answer["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    answer["header"] = [{"key": name, "value": value} for name, value in headers.items()]
    tests = [
        f"pm.test('the status is {request.status}', function () {{",
        f"    pm.response.to.have.status({request.status});",
        "});",
        *request.tests,
    ]
    events = [{"listen": "test", "script": {"type": "text/javascript", "exec": tests}}]
    return {"name": request.name, "event": events, "request": answer, "response": []}


def collection():
    known = operations()
    variables = {}
    for port, (role, name) in enumerate(NAMES.items(), 7701):
        variables |= {role: f"http://127.0.0.1:{port}", f"{role}_name": name}
    variables["tracker"] = "http://127.0.0.1:7700"
    variables |= dict.fromkeys(["network_id", "height", "transaction", "payment", "key", "job", "tip", "state_hash"], "")
    return {
        "info": {"_postman_id": stable_id("collection"), "name": "Raclette", "description": DESCRIPTION, "schema": SCHEMA},
        "item": [
            {"name": name, "description": description, "item": [item(request, known) for request in requests]}
            for name, description, requests in FOLDERS
        ],
        "variable": [{"key": key, "value": value} for key, value in variables.items()],
    }


def environment(name, tokens):
    values = [
        {"key": f"{role}_token", "value": tokens.get(role, ""), "type": "secret", "enabled": True}
        for role in ("sender", "recipient", "witness")
    ]
    return {"id": stable_id(name), "name": name, "values": values, "_postman_variable_scope": "environment"}


def files():
    demo = {role: f"demo-{name}" for role, name in NAMES.items()}
    return {
        "raclette.postman_collection.json": collection(),
        "cargo.postman_environment.json": environment("Raclette, started by cargo", {}),
        "compose.postman_environment.json": environment("Raclette, started by docker-compose", demo),
    }


def main():
    stale = []
    for name, content in files().items():
        path, text = OPENAPI / name, json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; write them with python3 postman/generate.py")
    print("the Postman files are what the OpenAPI documents and the story say")


if __name__ == "__main__":
    main()
