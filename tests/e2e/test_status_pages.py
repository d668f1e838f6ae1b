"""The pages for people in a real browser: on a phone, in the dark, without scripts, by keyboard."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast
from urllib.parse import quote

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import bridge, run_browser
from tests.e2e.daemons import ROOT, run_pipeline, wait_until

pytestmark = pytest.mark.slow

AXE = ROOT / ".cache" / "node" / "node_modules" / "axe-core" / "axe.min.js"
"""Deque's accessibility checks, which `make` installs."""

RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(
  found => done(found.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 200))])));
"""

FRUIT = """counter fruit_total by name limit 3 help "What was eaten." unit "pieces"
histogram sizes by kind buckets 1, 10, 100
text last
/an (?P<name>.+)/ {
  fruit_total[$name]++
  last = $name
}
/size (?P<size>\\d+)/ {
  sizes["x"] = $size
}
"""

TORN = 'counter dates_total\n/(?P<date>.*)/ {\n  strptime($date, "2006-01-02")\n  dates_total++\n}\n'

HOSTILE = "<img src=x onerror=alert(1)>\n\u202e\"&'.mtail"
"""The name of a file may be almost anything."""

LINES = b"an apple\nan <script>document.title='owned'</script>\nan \xe2\x80\xae\x1b[31m\xff\nsize 12\n"
LAST = "<b>bold</b>'\"&lt;"
"""The last line, on which a program fails."""

SCREENS = {"phone": (360, 740), "desk": (1280, 900)}

PAGES = {
    "first": "/",
    "refreshed": "/?refresh=10",
    "running": "/program/fruit.mtail",
    "broken": "/program/broken.mtail",
    "torn": "/program/torn.mtail",
    "outdated": "/program/outdated.mtail",
    "hostile": f"/program/{quote(HOSTILE, safe='')}",
    "unknown": "/program/%3Cscript%3E",
}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for everything; the paths of sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where our daemon is found, with programs in each state, sources of each kind, and a push that fails."""
    programs = folder / "programs"
    programs.mkdir()
    for name, text in {
        "fruit.mtail": FRUIT,
        "torn.mtail": TORN,
        "broken.mtail": "counter a by b, c\n/x/ {\n  a[$y]++\n}\n",
        "outdated.mtail": FRUIT.replace("fruit", "old").replace("sizes", "old_sizes").replace("last", "old_last"),
        HOSTILE: "counter hostile_total by l\n/an (?P<l>.+)/ {\n  hostile_total[$l]++\n}\n",
    }.items():
        (programs / name).write_text(text)
    logs = f"{folder}/log.fifo,unix://{folder}/stream,unixgram://{folder}/datagram,file://{folder}/none.log"
    flags = ["--progs", str(programs), "--logs", logs, "--state_file", f"{folder}/state"]
    pushes = ["--graphite_host_port", "127.0.0.1:1", "--metric_push_interval", "100ms"]
    bindings = ["--bind", f"fruit={folder}/log.fifo"]
    with run_pipeline(folder, *flags, *pushes, *bindings) as process, bridge(folder / "metrics.sock") as address:
        (programs / "outdated.mtail").write_text("counter x /\n")
        process.send_signal(1)
        (folder / "log.fifo").write_bytes(LINES + LAST.encode() + b"\n")
        with socket.socket(socket.AF_UNIX) as writer, httpx.Client(base_url=address, trust_env=False) as client:
            writer.connect(f"{folder}/stream")
            writer.sendall(b"half a line")
            for text in ("1 connected", "the last change does not load", "The last push to graphite", "bold"):
                wait_until(lambda text=text: text in client.get("/").text, f"{text} is shown")  # type: ignore[misc]
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    """One browser for all."""
    with run_browser() as driver:
        yield driver


def look(browser: webdriver.Chrome, url: str, screen: str = "desk", scheme: str = "light") -> None:
    """Go to a page, on a screen of some size, by day or by night."""
    width, height = SCREENS[screen]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(url)


def ask(browser: webdriver.Chrome, script: str) -> object:
    """Return the value of an expression about the page."""
    return cast("object", browser.execute_script(f"return {script}"))


def read_complaints(browser: webdriver.Chrome) -> list[str]:
    """Return what the browser complained of since the last time: scripts, the policy of contents; not of a 404."""
    entries = cast("list[dict[str, str]]", browser.get_log("browser"))  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if "404 ()" not in entry["message"]]


@pytest.mark.parametrize("page", PAGES)
def test_page_is_accessible_and_fits_a_phone(browser: webdriver.Chrome, address: str, page: str) -> None:
    """By day and by night, with all details open: axe finds nothing, nothing is wider than the screen, no complaint."""
    read_complaints(browser)
    for screen, scheme in (("phone", "light"), ("desk", "dark")):
        look(browser, address + PAGES[page], screen, scheme)
        assert read_complaints(browser) == []
        browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert ask(
            browser, "[innerWidth, document.documentElement.scrollWidth - document.documentElement.clientWidth]"
        ) == [
            SCREENS[screen][0],
            0,
        ]
        assert ask(browser, "matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
        browser.execute_script(AXE.read_text())
        assert browser.execute_async_script(RUN_AXE) == []


def test_checks_find_what_is_wrong(browser: webdriver.Chrome, address: str) -> None:
    """So that the test above can fail: a style that the policy forbids, a picture without a text, grey on white."""
    look(browser, address)
    read_complaints(browser)
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', '<i style=color:red></i>')")
    assert "Content Security Policy" in " ".join(read_complaints(browser))
    browser.execute_script("document.querySelector('main').insertAdjacentHTML('beforeend', '<img><p id=x>pale</p>')")
    browser.execute_script("document.getElementById('x').style.color = '#ddd'")
    browser.execute_script(AXE.read_text())
    found = cast("list[list[object]]", browser.execute_async_script(RUN_AXE))
    assert {"color-contrast", "image-alt"} <= {one[0] for one in found}


def test_pages_have_a_night(browser: webdriver.Chrome, address: str) -> None:
    """As the system of the reader has it; the ground is dark then."""
    grounds = []
    for scheme in ("light", "dark"):
        look(browser, address, scheme=scheme)
        grounds.append(ask(browser, "getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


@pytest.mark.parametrize("page", PAGES)
def test_page_has_no_script_and_needs_none(browser: webdriver.Chrome, address: str, page: str) -> None:
    """Whatever a log or a name holds is text."""
    look(browser, address + PAGES[page])
    assert ask(browser, "document.querySelectorAll('script, img, iframe, object, [onerror], [onclick]').length") == 0
    assert "owned" not in browser.title
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address + PAGES[page])
        headings = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "h1, h2")]
        assert all(headings)
        assert browser.find_element(By.TAG_NAME, "main").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_links_lead_to_what_there_is(browser: webdriver.Chrome, address: str) -> None:
    """As a browser resolves them: to pages, and to places on them."""
    links: set[str] = set()
    for path in PAGES.values():
        look(browser, address + path)
        links |= set(cast("list[str]", ask(browser, "[...document.querySelectorAll('a')].map(one => one.href)")))
    assert len(links) > 20
    pages: dict[str, str] = {}
    with httpx.Client(trust_env=False) as client:
        for link in sorted(links):
            page, _, place = link.partition("#")
            assert page.startswith(f"{address}/")
            if page not in pages:
                answer = client.get(page)
                expected = 404 if page == address + PAGES["unknown"] else 200
                assert (page, answer.status_code) == (page, expected)
                pages[page] = answer.text
            assert not place or f'id="{place}"' in pages[page]


def test_failure_leads_to_the_line_of_the_program(browser: webdriver.Chrome, address: str) -> None:
    """Which then stands out; the line of the log is shown as it was."""
    look(browser, address)
    browser.find_element(By.CSS_SELECTOR, "details.failure summary").click()
    assert LAST in browser.find_element(By.CSS_SELECTOR, "details.failure").text
    browser.find_element(By.LINK_TEXT, "torn.mtail:3:3").click()
    assert browser.current_url == f"{address}/program/torn.mtail#L3"
    assert ask(browser, "document.querySelector(':target').innerText.trim()") == (
        'strptime($date, "2006-01-02") last failure'
    )
    assert ask(browser, "getComputedStyle(document.querySelector(':target')).backgroundColor") == "rgb(255, 243, 214)"


def test_first_key_leads_past_the_links(browser: webdriver.Chrome, address: str) -> None:
    """Who has no mouse sees where he is."""
    look(browser, address)
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = browser.switch_to.active_element
    assert (focused.text, focused.rect["x"] >= 0) == ("Skip to the content", True)
    assert ask(browser, "getComputedStyle(document.activeElement).outlineStyle") == "solid"
    focused.send_keys(Keys.ENTER)
    assert browser.current_url.endswith("/#main")


def test_names_that_turn_text_around_are_shown_plainly(browser: webdriver.Chrome, address: str) -> None:
    """A mark that turns what follows around is shown as what it is not: a character."""
    look(browser, address + PAGES["hostile"])
    shown = browser.find_element(By.TAG_NAME, "h1").text
    assert shown == HOSTILE.replace("\n", " ").replace("\u202e", "\ufffd")
    assert os.fsencode(HOSTILE).decode() == HOSTILE
