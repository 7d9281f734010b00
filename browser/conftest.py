"""What every test in a browser needs: a running network, and a headless Chromium.

    python3 -m pytest browser

`network` is one network for all tests (its services: `network.urls["alice"]`, `network.tracker`, `network.token("alice")`);
`browser` is a fresh Chromium for each test. `page` holds helpers that wait instead of sleeping.
"""

import pathlib
import shutil
import sys

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))

import running

# The last ones keep Chromium from calling anybody but the services.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1024",
)


@pytest.fixture(scope="session")
def network():
    with running.network() as network:
        yield network


@pytest.fixture
def browser(tmp_path):
    driver = start(tmp_path)
    yield driver
    driver.quit()


def start(profile, *flags):
    """A headless Chromium with a profile of its own; further flags, such as a window of a phone's size, come last."""
    options = Options()
    options.binary_location = found("chromium", "chromium-browser", "google-chrome")
    for flag in (*FLAGS, f"--user-data-dir={profile}/chromium", *flags):
        options.add_argument(flag)
    # What the page says on its console, errors above all.
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found("chromedriver")))
    driver.set_page_load_timeout(60)
    return driver


def found(*names):
    for name in names:
        if path := shutil.which(name):
            return path
    raise RuntimeError(f"none of {', '.join(names)} is installed: apt-get install chromium chromium-driver")
