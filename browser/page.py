"""Helpers that wait for what a page shows, up to a deadline, instead of sleeping."""

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

DEADLINE_SECONDS = 60


def eventually(browser, what, attempt):
    """Repeats an attempt until it gives something true, and gives that."""
    wait = WebDriverWait(browser, DEADLINE_SECONDS, ignored_exceptions=[StaleElementReferenceException])
    return wait.until(lambda _: attempt(), f"{what}: not within {DEADLINE_SECONDS} s")


def see(browser, selector, within=None):
    """The first element that this CSS selector finds and that is shown."""
    scope = within or browser
    shown = lambda: next((one for one in scope.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()), None)
    return eventually(browser, f"see {selector}", shown)


def click(browser, selector, within=None):
    """Clicks an element, once it is shown, wherever the page has been scrolled to."""
    element = see(browser, selector, within)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    eventually(browser, f"{selector} is enabled", element.is_enabled)
    element.click()


def fill(browser, selector, text, within=None):
    """Puts a text into an input field in place of what is there."""
    element = see(browser, selector, within)
    element.clear()
    element.send_keys(text)


def complaints(browser):
    """What the browser's console holds against the page: scripts that fail, files that are missing, refused requests."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
