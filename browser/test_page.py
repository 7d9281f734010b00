"""The pages of a peer and of the tracker at `/`, as their owners use them: send, mine, read, watch somebody go offline.

The pictures in docs/images come from here: with RACLETTE_SCREENSHOTS=1 they are taken anew.
"""

import os
import pathlib

import page
import pytest
import running
from network import call
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

IMAGES = pathlib.Path(__file__).resolve().parent.parent / "docs" / "images"
ATTACK = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
GROUND = {"light": "rgb(250, 248, 243)", "dark": "rgb(21, 19, 15)"}


@pytest.fixture
def own_network():
    """A network whose peers may be stopped; the tracker notices within seconds."""
    with running.network("--liveness-interval", "1s") as network:
        yield network


@pytest.fixture
def hard_network():
    """A network in which nobody finds a block."""
    with running.network(settings={"RACLETTE_FIRST_TARGET_BITS": "60"}) as network:
        yield network


def open_page(browser, url):
    browser.get(url)
    page.see(browser, "#connection[data-state=live]")


def open_as_owner(browser, network, name):
    open_page(browser, network.urls[name])
    unlock(browser, network.token(name))
    page.see(browser, "#wallet")


def unlock(browser, token):
    page.fill(browser, "#token", token)
    page.click(browser, "#unlock-form button")


def text(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def sees_text(browser, selector, wanted):
    page.eventually(browser, f"{wanted!r} in {selector}", lambda: wanted in text(browser, selector))


def send(browser, to, message=None, amount=None):
    page.see(browser, f"#to option[value={to}]")
    Select(browser.find_element(By.ID, "to")).select_by_value(to)
    if message:
        page.fill(browser, "#message", message)
    if amount:
        page.fill(browser, "#amount", str(amount))
    page.click(browser, "#send")


def mine(browser):
    page.click(browser, "#mine")
    sees_text(browser, "#mine-said", "Found block")


def press(browser, selector):
    """Clicks what may be drawn anew just now."""
    page.eventually(browser, f"press {selector}", lambda: browser.find_element(By.CSS_SELECTOR, selector).click() or True)


def type_into(network, line):
    """Types a command into the terminal of the network."""
    network.process.stdin.write(f"{line}\n".encode())
    network.process.stdin.flush()


def colours(browser, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def screen(browser, width, height, mobile=False):
    """A screen of this size, which may be narrower than a window."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def picture(browser, name):
    if os.environ.get("RACLETTE_SCREENSHOTS"):
        IMAGES.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(IMAGES / f"{name}.png"))


def no_complaints(browser):
    assert page.complaints(browser) == []


def test_what_alice_sends_bob_is_delivered_confirmed_and_read(browser, network):
    open_as_owner(browser, network, "alice")
    mine(browser)
    send(browser, "bob", "Here are 25 for the cheese.", 25)
    sees_text(browser, "#sent", "sent to bob")
    sees_text(browser, "#sent [data-done=yes]:nth-child(2)", "delivered")
    mine(browser)
    sees_text(browser, "#sent", "confirmed by 1 block")
    sees_text(browser, "#thread", "Here are 25 for the cheese.")
    no_complaints(browser)

    open_as_owner(browser, network, "bob")
    sees_text(browser, "#thread", "Here are 25 for the cheese.")
    sees_text(browser, "#thread", "+25")
    sees_text(browser, "#thread", "confirmed")
    assert int(text(browser, "#balance").replace(",", "")) >= 25
    no_complaints(browser)


def test_a_block_opens_and_closes_by_keyboard_and_shows_its_transactions(browser, network):
    network.owner("alice", "/send", {"to": "bob", "message": "in a block"})
    network.owner("alice", "/mine", {}, prefer="wait=30")
    open_page(browser, network.urls["alice"])
    sees_text(browser, "#blocks li", "1 transaction")
    page.see(browser, "#blocks button").send_keys(Keys.ENTER)
    sees_text(browser, "dialog", "Mined by")
    page.see(browser, "dialog .list button").send_keys(Keys.ENTER)
    page.eventually(browser, "the transaction", lambda: len(browser.find_elements(By.CSS_SELECTOR, "dialog")) == 2)
    for left in (1, 0):
        browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        page.eventually(browser, "it closes", lambda: len(browser.find_elements(By.CSS_SELECTOR, "dialog")) == left)
    no_complaints(browser)


def test_what_happens_is_shown_without_a_click(browser, network):
    open_as_owner(browser, network, "carol")
    network.owner("alice", "/send", {"to": "carol", "message": "Fondue tonight?"})
    sees_text(browser, "#thread", "Fondue tonight?")
    _, job = network.owner("bob", "/mine", {}, prefer="wait=30")
    sees_text(browser, "#blocks-count", f"height {job['height']}")
    sees_text(browser, "#activity", f"Block {job['height']} by bob")
    no_complaints(browser)


def test_mining_shows_its_rate_and_can_be_cancelled(browser, hard_network):
    open_as_owner(browser, hard_network, "alice")
    page.click(browser, "#mine")
    page.eventually(browser, "a rate", lambda: text(browser, "#mine-rate") not in ("", "0"))
    page.click(browser, "#mine-cancel")
    sees_text(browser, "#mine-said", "Cancelled.")
    no_complaints(browser)


def test_a_message_with_markup_stays_a_text(browser, network):
    network.owner("alice", "/send", {"to": "bob", "message": ATTACK})
    open_as_owner(browser, network, "bob")
    sees_text(browser, "#thread", "<img src=x onerror=")
    assert browser.find_elements(By.CSS_SELECTOR, "#thread img, #thread script") == []
    assert "owned" not in browser.title
    no_complaints(browser)


def test_the_page_may_load_and_call_nothing_but_its_own_service(browser, network):
    open_page(browser, network.urls["alice"])
    policy = browser.execute_async_script(
        "fetch('/', {headers: {Accept: 'text/html'}})"
        ".then((answer) => arguments[0](answer.headers.get('content-security-policy')))"
    )
    for part in ("default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    # It is not only said: a script in the page is not run, and nobody else can be called.
    browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"owned\"'; document.body.append(script)"
    )
    refused = browser.execute_async_script(
        "fetch(arguments[0], {mode: 'no-cors'}).then(() => arguments[1]('called'), () => arguments[1]('refused'))",
        network.urls["bob"] + "/status",
    )
    assert (refused, "owned" in browser.title) == ("refused", False)


def test_a_wrong_token_opens_nothing_and_the_right_one_only_this_tab(browser, network):
    open_page(browser, network.urls["alice"])
    assert not browser.find_element(By.ID, "wallet").is_displayed()
    unlock(browser, "wrong")
    sees_text(browser, "#unlock-said", "not the token")
    unlock(browser, network.token("alice"))
    page.see(browser, "#wallet")
    assert network.token("alice") not in browser.current_url
    browser.refresh()
    page.see(browser, "#wallet")
    browser.switch_to.new_window("tab")
    open_page(browser, network.urls["alice"])
    assert not browser.find_element(By.ID, "wallet").is_displayed()


def test_one_can_watch_a_peer_go_offline_and_come_back(browser, own_network):
    network = own_network
    open_as_owner(browser, network, "alice")
    sees_text(browser, "#peers-count", "2 of 2 online")
    type_into(network, "stop carol")
    sees_text(browser, "#activity", "carol said farewell")
    sees_text(browser, "#peers-count", "1 of 2 online")
    send(browser, "carol", "Read this when you are back.")
    sees_text(browser, "#sent [data-done=no]", "waits for delivery")
    sees_text(browser, "#queue", "carol")
    type_into(network, "start carol")
    sees_text(browser, "#activity", "carol is online")
    sees_text(browser, "#sent [data-done=yes]:nth-child(2)", "delivered")
    sees_text(browser, "#queue", "Everything has arrived")

    open_page(browser, network.tracker)
    type_into(network, "kill bob")
    page.see(browser, "#members .dot[data-state=offline]")
    sees_text(browser, "#activity", "bob is offline")
    unlock(browser, (network.data_dir / "tracker" / "token").read_text(encoding="ascii").strip())
    sees_text(browser, "#told", "News of bob")
    screen(browser, 1180, 760)
    picture(browser, "tracker")
    no_complaints(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_has_to_be_scrolled_sideways(browser, network, scheme):
    screen(browser, 360, 780, mobile=True)
    colours(browser, scheme)
    open_page(browser, network.tracker)
    assert overflow(browser) == 0
    open_page(browser, network.urls["alice"])
    sees_text(browser, "#blocks", "Block")
    assert overflow(browser) == 0
    unlock(browser, network.token("alice"))
    page.see(browser, "#wallet")
    sees_text(browser, "#people", "bob")
    assert overflow(browser) == 0
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == GROUND[scheme]
    browser.execute_script("window.scrollTo({top: 0, behavior: 'instant'})")
    picture(browser, f"phone-{scheme}")


def overflow(browser):
    root = "document.documentElement"
    return browser.execute_script(f"return {root}.scrollWidth - {root}.clientWidth")


def test_everything_can_be_reached_by_keyboard_and_has_a_name(browser, network):
    open_as_owner(browser, network, "alice")
    sees_text(browser, "#blocks", "Block")
    nameless = browser.execute_script("""
        const name = (e) => e.labels?.[0]?.textContent ?? e.getAttribute('aria-label') ?? e.textContent;
        return [...document.querySelectorAll('input, select, textarea, button, a')]
            .filter((e) => e.offsetParent !== null && !name(e).trim()).map((e) => e.outerHTML)""")
    assert nameless == []
    reached = set()
    browser.execute_script("document.activeElement.blur()")
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        active = browser.switch_to.active_element
        reached.add(active.get_attribute("id"))
        if active.tag_name != "body":
            style = browser.execute_script("return getComputedStyle(arguments[0]).outlineStyle", active)
            assert style != "none", f"the focus cannot be seen: {active.get_attribute('outerHTML')}"
    assert {"to", "message", "amount", "send", "mine"} <= reached


def test_the_pages_and_the_documentation_lead_to_each_other(browser, network):
    for url in (network.urls["alice"], network.tracker):
        open_page(browser, url)
        page.click(browser, "nav a[href='/docs/']")
        page.see(browser, ".opblock")
        page.click(browser, "a[href='/']")
        page.see(browser, "#connection[data-state=live]")
    status, answer = call(f"{network.urls['alice']}/")
    assert status == 200 and "/docs/" in answer, "curl is told where things are"


def test_a_newcomer_is_told_what_to_do_next(browser, own_network):
    open_as_owner(browser, own_network, "alice")
    sees_text(browser, "#wallet-empty", "There is no money yet.")
    sees_text(browser, "#thread", "No messages yet.")
    sees_text(browser, "#ledger", "Nothing waits for a block.")
    sees_text(browser, "#queue", "Everything has arrived.")
    # And then it does that.
    mine(browser)
    send(browser, "bob", "Is there any cheese left?")
    own_network.owner("bob", "/mine", {}, prefer="wait=30")
    own_network.owner("bob", "/send", {"to": "alice", "message": "A whole wheel. Bring potatoes!"}, prefer="wait=30")
    sees_text(browser, "#thread", "A whole wheel.")
    send(browser, "carol", "Raclette tonight?", 10)
    sees_text(browser, "#sent [data-done=yes]:nth-child(2)", "delivered")
    press(browser, "#people button:last-child")
    for scheme in ("light", "dark"):
        colours(browser, scheme)
        screen(browser, 1180, 1120)
        browser.execute_script("window.scrollTo({top: 0, behavior: 'instant'})")
        picture(browser, f"peer-{scheme}")
