"""What a user does with instances and attached machines in JupyterLab."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from browser.conftest import Lab, OpenPage, show
from browser.test_compute_ui import FORM, SUBMIT, button, field, pill, row, tab
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


def palette(page: Page, command: str) -> None:
    page.keyboard.press("ControlOrMeta+Shift+C")
    page.locator(".lm-CommandPalette-input:visible").fill(command)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(command)
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)  # the palette goes, and gives the focus back, behind the dialog


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
    row(page, "bench").focus()
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

    row(page, "bench").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".jp-Dialog")).to_contain_text("Its files and the results")
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
