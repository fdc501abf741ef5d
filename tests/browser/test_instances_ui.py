"""What a user does with instances and attached machines in JupyterLab."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from playwright.sync_api import Page, Route, expect

from browser.conftest import Lab, OpenPage, palette, show
from browser.test_compute_ui import FORM, SUBMIT, TREE, button, field, pill, row, tab
from conftest import perijove

pytestmark = pytest.mark.browser

ERROR = ".jp-perijove-error"
KEY = {
    "host": "ada@machine.test",
    "type": "ssh-ed25519",
    "line": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0wmN/Cr3JXqmLW7u+g9pTh+wyqDHpSQEIQczXkVx9q",
    "fingerprint": "SHA256:UNiVztksCsDhcc0u9e8BrrJXVGDfSgqpz0LVCbBT53w",
    "known": False,
}


def until(page: Page, true: Callable[[], bool]) -> None:
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)
    pytest.fail("it did not come about")


def shells(command: str) -> list[psutil.Process]:
    """What a command line has started."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if command in " ".join(process.cmdline()):
                found += process.children()
    return found


def test_an_instance_by_the_keyboard_alone(open_page: OpenPage, lab: Lab) -> None:
    page = open_page()
    show(page, "perijove-panel")
    palette(page, "Create compute")
    expect(page.get_by_label("Compute instance")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Training cluster")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    # what is wrong is said at the field, by the form and by the hub
    expect(field(page, "Name")).to_be_focused()
    page.keyboard.type("bench")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(field(page, "CPUs")).to_be_focused()
    page.keyboard.type("999")
    page.keyboard.press("Tab")
    page.keyboard.type("much")
    expect(page.locator(ERROR)).to_have_text("a size, like 4 GiB")
    expect(page.locator(SUBMIT)).to_be_disabled()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("1 GiB")
    page.keyboard.press("Enter")
    expect(page.locator(ERROR)).to_contain_text("This machine has")
    expect(field(page, "CPUs")).to_have_attribute("aria-invalid", "true")
    field(page, "CPUs").focus()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.locator(FORM)).to_have_count(0, timeout=60_000)
    expect(row(page, "bench")).to_contain_text("idle")
    expect(row(page, "bench").locator(".jp-perijove-usage")).to_be_visible()

    # how it is, and what happened to it
    page.locator(TREE).press("End")
    expect(row(page, "bench")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(pill(page)).to_have_text("running")
    document = page.locator(".jp-perijove-document:visible")
    expect(document).to_contain_text("Resource properties")
    expect(document.locator(".jp-perijove-metrics figure")).to_have_count(2)
    expect(document.locator("dl", has_text="Limits")).to_contain_text("enforced")
    button(page, "Stop").click()
    expect(pill(page)).to_have_text("stopped")
    expect(row(page, "bench")).to_contain_text("stopped")
    tab(page, "Events").click()
    expect(document.locator("tbody tr")).to_have_text(
        [re.compile("Stopped"), re.compile("Created")]
    )
    button(page, "Start").click()
    expect(pill(page)).to_have_text("running")
    expect(document.locator("tbody tr")).to_have_count(3)

    page.locator(TREE).press("Delete")
    expect(page.locator(".jp-Dialog")).to_contain_text("Its files and the results")
    page.keyboard.press("Enter")  # the Delete key is next to it
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(row(page, "bench")).to_have_count(0, timeout=60_000)
    assert perijove("compute", "show", "bench", home=lab.home).returncode == 2


def test_a_host_key_is_confirmed_before_a_machine_is_attached(open_page: OpenPage) -> None:
    page = open_page()
    sent: list[dict[str, object]] = []

    def attach(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(json.loads(route.request.post_data or ""))
        error = {
            "code": "unreachable",
            "message": "ada@machine.test lets nobody in with these keys.",
            "field": "identity_file",
            "remedy": "Name another private key.",
        }
        route.fulfill(status=503, json={"error": error})

    show(page, "perijove-panel")
    palette(page, "Attach compute")
    page.keyboard.press("Enter")
    # a host that is not there is said by the hub itself
    field(page, "Host").fill("nowhere.invalid")
    page.click(SUBMIT)
    expect(page.locator(ERROR)).to_contain_text("nowhere.invalid")
    expect(field(page, "Host")).to_have_attribute("aria-invalid", "true")

    page.route(re.compile(r"/perijove/api/host-keys"), lambda route: route.fulfill(json=KEY))
    page.route(re.compile(r"/perijove/api/compute(\?|$)"), attach)
    field(page, "Host").fill("ada@machine.test")
    page.click(SUBMIT)
    expect(page.locator(FORM)).to_contain_text(str(KEY["fingerprint"]))
    expect(page.locator(SUBMIT)).to_be_disabled()
    page.locator(".jp-perijove-check input").check()
    page.click(SUBMIT)

    # refused at a field that was folded: it is opened, and what was typed is there still
    expect(page.locator(ERROR)).to_contain_text("lets nobody in")
    expect(field(page, "Private key")).to_have_attribute("aria-invalid", "true")
    expect(field(page, "Host")).to_have_value("ada@machine.test")
    assert sent == [
        {
            "kind": "attached",
            "name": "machine",
            "host": "ada@machine.test",
            "host_key": KEY["line"],
        }
    ]
    page.keyboard.press("Escape")
    expect(page.locator(FORM)).to_have_count(0)


def test_every_key_of_a_pool_is_confirmed(open_page: OpenPage) -> None:
    page = open_page()
    sent: list[dict[str, object]] = []

    def keys(route: Route) -> None:
        host = json.loads(route.request.post_data or "")["host"]
        line = f"{KEY['line']}{host}"
        found = KEY | {"host": host, "line": line, "known": host == "gpu-1"}
        route.fulfill(json=found)

    def create(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(json.loads(route.request.post_data or ""))
        error = {
            "code": "unreachable",
            "message": "gpu-2 lets nobody in with these keys.",
            "field": "identity_file",
            "remedy": None,
        }
        route.fulfill(status=503, json={"error": error})

    page.route(re.compile(r"/perijove/api/host-keys"), keys)
    page.route(re.compile(r"/perijove/api/compute(\?|$)"), create)
    show(page, "perijove-panel")
    palette(page, "Create compute")
    page.get_by_text("Training cluster").click()
    page.click(SUBMIT)
    page.locator(f"{FORM} select").select_option("ssh")
    hosts = page.get_by_label("Hosts")
    expect(page.locator(SUBMIT)).to_be_disabled()
    hosts.fill("gpu-1 gpu-1")
    expect(page.locator(ERROR)).to_have_text("a host is named twice")
    hosts.fill("gpu-1\nada@gpu-2\nada@gpu-3:2222")
    field(page, "Max nodes").fill("4")
    expect(page.locator(ERROR)).to_have_text("there are fewer hosts")
    field(page, "Max nodes").fill("")
    page.click(SUBMIT)

    # only those are asked about that nobody vouched for yet
    expect(page.locator(".jp-perijove-fingerprint")).to_have_count(2)
    expect(page.locator(FORM)).to_contain_text("ada@gpu-3:2222 is not known yet")
    expect(page.locator(SUBMIT)).to_be_disabled()
    page.locator(".jp-perijove-check input").check()
    page.click(SUBMIT)
    expect(page.locator(ERROR)).to_contain_text("lets nobody in")
    expect(field(page, "Private key")).to_have_attribute("aria-invalid", "true")
    expect(hosts).to_have_value("gpu-1\nada@gpu-2\nada@gpu-3:2222")
    names = ["gpu-1", "ada@gpu-2", "ada@gpu-3:2222"]
    assert sent == [
        {
            "kind": "cluster",
            "on": "ssh",
            "name": "train",
            "hosts": names,
            "host_keys": [f"{KEY['line']}{name}" for name in names],
            "min_nodes": 0,
            "cpus": 1,
            "idle_seconds_before_scale_down": 120,
        }
    ]
    page.keyboard.press("Escape")
    expect(page.locator(FORM)).to_have_count(0)


def test_a_terminal_on_an_instance(open_page: OpenPage, lab: Lab) -> None:
    made = perijove("compute", "create", "shelly", "--kind", "instance", home=lab.home)
    assert made.returncode == 0, made.stderr
    page = open_page()
    show(page, "perijove-panel")
    row(page, "shelly").click()
    expect(pill(page)).to_have_text("running")
    button(page, "Terminal").click()
    terminal = page.locator(".jp-Terminal:visible")
    expect(terminal).to_be_visible()

    until(page, lambda: len(shells("compute connect shelly")) == 1)
    terminal.click()
    page.keyboard.type(f"touch {lab.home}/typed; exit\n")
    until(page, lambda: (lab.home / "typed").exists() and not shells("compute connect shelly"))
    assert perijove("compute", "delete", "shelly", home=lab.home).returncode == 0
