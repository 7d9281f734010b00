"""What schemathesis cannot know: what this very network holds, and where an answer is right although a check says otherwise.

Read by `schemathesis run` through SCHEMATHESIS_HOOKS; the network is named by CONTRACT_BASE_PORT and CONTRACT_DATA.
"""

import os

import schemathesis
from schemathesis.core import NOT_SET
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.openapi.checks import UseAfterFree
from stage import ABSENT, Stage, fingerprint

SERVICE = os.environ["CONTRACT_SERVICE"]
ANONYMOUS = "CONTRACT_ANONYMOUS" in os.environ
STAGE = Stage(int(os.environ["CONTRACT_BASE_PORT"]), os.environ["CONTRACT_DATA"])
jobs = []

BODIES = {
    "POST /tx": STAGE.transaction,
    "POST /tx/check": STAGE.transaction,
    "POST /block": STAGE.block,
    "POST /mining-complete": STAGE.mining_complete,
    "POST /peers": STAGE.notice,
    "POST /probe": STAGE.probe,
    "POST /register": STAGE.registration,
    "POST /leave": STAGE.leave,
    "POST /genesis": STAGE.genesis_report,
}


def known(name, path, made_up):
    """Values of a path's parameter that name something."""
    if path.startswith("/tx/"):
        return STAGE.transactions
    if path.startswith("/block/"):
        return [value for block in STAGE.blocks for value in (block["header"]["hash"], str(block["header"]["height"]))]
    if path.startswith("/accounts/"):
        return STAGE.addresses
    if path.startswith("/mine/"):
        return jobs
    if path.startswith("/queue/"):
        return STAGE.queue(SERVICE)
    if path.startswith("/bans/"):
        return [STAGE.ban()]
    if path.startswith("/names/"):
        return ABSENT
    return []


def whole(value):
    """JSON Schema calls 5.0 an integer. The protocol has one spelling for each number, and that is 5."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(member) for member in value]
    return value


@schemathesis.hook
def before_call(context, case, kwargs):
    shorten_waiting(case)
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    made_up = case.body
    if made_up is not NOT_SET:
        case.body = whole(made_up)
    # Half of what was made up stays: whoever is not known must be answered well, too.
    choice = fingerprint([case.path_parameters, case.query, None if made_up is NOT_SET else made_up])
    if choice % 2:
        return
    for name in case.path_parameters or {}:
        values = known(name, case.operation.path, case.path_parameters[name])
        if values:
            case.path_parameters[name] = values[choice // 2 % len(values)]
    make = BODIES.get(case.operation.label)
    if make and isinstance(made_up, dict):
        case.body = make(case.body)
    elif make and isinstance(made_up, list):
        case.body = [make(one) for one in case.body[:2]]


def shorten_waiting(case):
    """Waiting is tested elsewhere; here nobody waits half a minute for each of hundreds of requests."""
    for name, value in (case.headers or {}).items():
        if name.lower() == "prefer" and str(value).startswith("wait="):
            case.headers[name] = "wait=1"


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.label == "POST /mine" and response.status_code in (200, 202):
        jobs.append(response.json()["id"])


@schemathesis.check
def nothing_without_the_token(context, response, case):
    """Without a token, no route of the owner's looks at anything else."""
    # 404: a made-up value in the path led to no route at all.
    if ANONYMOUS and response.status_code not in (401, 404, 405):
        raise AssertionError(f"{response.status_code} in place of 401")


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Whether a failure counts. Each that does not is right by its nature, for the reason given."""
    label = case.operation.label
    if isinstance(failure, UseAfterFree) and label in ("GET /mine/{id}", "DELETE /mine/{id}"):
        # DELETE cancels a job. What became of it can still be read, as the document says.
        return False
    if isinstance(failure, AcceptedNegativeData):
        if label == "POST /tx" and isinstance(case.body, list) and refused_one(response):
            # An array is answered one by one: the refusal stands in the result of the one that is wrong.
            return False
        if label == "POST /block" and not_read(response) and "header" not in failure.message:
            # A header is judged before its body is read: of a block that is known, or that has no place yet, nothing else is.
            return False
        if "unexpected properties" in failure.message and "in header" in failure.message:
            # Every request carries headers that a document does not list; HTTP forbids to refuse them.
            return False
    return True


def not_read(response):
    return response.status_code == 200 and response.json()["status"] in ("known", "orphan", "later", "unkept")


def refused_one(response):
    return response.status_code == 200 and any("problem" in result for result in response.json().get("results", []))
