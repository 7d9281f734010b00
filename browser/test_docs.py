"""The documentation page of a peer, as somebody uses it who has the owner's token: read, authorize, try calls."""

import json

import page
import pytest
from network import call


def open_docs(browser, url):
    browser.get(f"{url}/docs")
    page.see(browser, ".opblock")


def authorize(browser, token):
    page.click(browser, ".btn.authorize")
    page.fill(browser, ".auth-container input", token)
    page.click(browser, ".auth-btn-wrapper .authorize")
    page.click(browser, ".auth-btn-wrapper .btn-done")


def execute(browser, tag, operation, body=None):
    """Tries an operation; the status and the JSON of its answer."""
    block = f"#operations-{tag}-{operation}"
    page.click(browser, f"{block} .opblock-summary-control")
    if body is not None:
        page.fill(browser, f"{block} .body-param__text", json.dumps(body))
    page.click(browser, f"{block} .execute")
    page.see(browser, f"{block} .live-responses-table .response-col_status")
    status = page.see(browser, f"{block} .live-responses-table tbody .response-col_status").text
    text = page.see(browser, f"{block} .live-responses-table .response-col_description pre").text
    return int(status.split()[0]), json.loads(text)


def test_the_page_loads_without_complaints_and_shows_every_operation(browser, network):
    open_docs(browser, network.urls["alice"])
    assert "alice" in browser.title
    _, document = network.public("alice", "/openapi.json")
    count = sum(len(item) for item in document["paths"].values())
    page.eventually(
        browser, f"{count} operations", lambda: len(browser.find_elements("css selector", ".opblock")) == count
    )
    assert page.complaints(browser) == []


def test_nothing_is_loaded_from_anywhere_else(browser, network):
    url = network.urls["alice"]
    open_docs(browser, url)
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert loaded and all(name.startswith((url, "data:", "blob:")) for name in loaded), loaded


def test_the_owner_reads_the_wallet_and_sends_a_message(browser, network):
    open_docs(browser, network.urls["alice"])
    status, problem = execute(browser, "owner", "get_wallet")
    assert (status, problem["code"]) == (401, "token_missing")
    authorize(browser, network.token("alice"))
    page.click(browser, "#operations-owner-get_wallet .btn-clear")
    page.click(browser, "#operations-owner-get_wallet .opblock-summary-control")
    status, wallet = execute(browser, "owner", "get_wallet")
    assert (status, wallet["name"]) == (200, "alice")
    status, sent = execute(browser, "owner", "send", {"to": "bob", "message": "Written in the documentation."})
    assert (status, sent["recipient_name"]) == (201, "bob")


@pytest.mark.parametrize("path", ["/network", "/peers"])
def test_the_trackers_page_tries_its_own_calls(browser, network, path):
    open_docs(browser, network.tracker)
    _, document = call(network.tracker + "/openapi.json")
    operation = document["paths"][path]["get"]
    status, answer = execute(browser, operation["tags"][0], operation["operationId"])
    assert status == 200 and answer
