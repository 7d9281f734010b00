"""The Postman collection, request by request against a live network, with the scripts in a browser.

What is committed in openapi/ is run as it is; only the URLs and tokens are those of this network. A request that only reads
and whose tests fail is sent again for a while, as its description tells people to: news take a moment.
"""

import json
import pathlib
import re
import time
import urllib.error
import urllib.request

from network import DEADLINE_SECONDS, OPENER

TOP = pathlib.Path(__file__).resolve().parent.parent
COLLECTION = TOP / "openapi" / "raclette.postman_collection.json"
RUNNER = (TOP / "postman" / "runner.js").read_text(encoding="utf-8")
PATIENCE_SECONDS = 20
ROLES = {"sender": "alice", "recipient": "bob", "witness": "carol"}


def test_the_committed_collection_runs_from_top_to_bottom(browser, network):
    collection = json.loads(COLLECTION.read_text(encoding="utf-8"))
    variables = {one["key"]: one["value"] for one in collection["variable"]}
    variables["tracker"] = network.tracker
    for role, name in ROLES.items():
        variables |= {role: network.urls[name], f"{role}_token": network.token(name)}
    browser.get("about:blank")
    browser.execute_script(RUNNER)
    ran = 0
    for folder in collection["item"]:
        for item in folder["item"]:
            tests, variables = run(browser, item, variables)
            failed = [test for test in tests if not test["passed"]]
            assert tests and not failed, f"{folder['name']}, {item['name']}: {failed}"
            ran += len(tests)
    assert ran > 60


def run(browser, item, variables):
    """Sends a request and runs its tests; one that only reads may take some attempts."""
    script = "\n".join(line for event in item["event"] for line in event["script"]["exec"])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = send(item["request"], variables)
        result = browser.execute_script("return run(arguments[0], arguments[1], arguments[2])", script, answer, variables)
        good = all(test["passed"] for test in result["tests"])
        if good or item["request"]["method"] != "GET" or time.monotonic() > deadline:
            return result["tests"], result["variables"]
        time.sleep(0.2)


def send(request, variables):
    filled = lambda text: re.sub(r"\{\{(\w+)\}\}", lambda found: str(variables[found[1]]), text)
    body = filled(request["body"]["raw"]).encode() if "body" in request else None
    headers = {header["key"]: filled(header["value"]) for header in request["header"]}
    call = urllib.request.Request(filled(request["url"]["raw"]), data=body, headers=headers, method=request["method"])
    try:
        with OPENER.open(call, timeout=DEADLINE_SECONDS) as answer:
            return described(answer)
    except urllib.error.HTTPError as refusal:
        return described(refusal)


def described(answer):
    return {"status": answer.status, "headers": list(answer.headers.items()), "text": answer.read().decode("utf-8")}
