"""What axe-core, the engine of the accessibility checkers of browsers, finds on every tab: nothing serious."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from fgrn.images import encode_png
from tests.conftest import Photo, Visitor

pytestmark = pytest.mark.browser


def serious(page: Page) -> list[str]:
    """The findings that keep somebody from using the page, a line each."""
    page.wait_for_timeout(500)  # colours move for a moment
    found = Axe().run(page).response["violations"]
    return [
        f"{finding['id']}: {node['target']} {node['failureSummary']}"
        for finding in found
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


def test_groups_have_names_and_arrow_keys_choose(visitor: Visitor) -> None:
    page = visitor.open()
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    scale = page.get_by_role("group", name="Scale")
    expect(page.locator("#methods")).to_have_accessible_name("Methods")
    scale.get_by_role("radio", name="×4").focus()
    page.keyboard.press("ArrowLeft")
    expect(scale.get_by_role("radio", name="×2")).to_be_checked()
    expect(scale.get_by_role("radio", name="×4")).not_to_be_checked()
    expect(page.locator("#missing")).to_contain_text("DU_none has weights for x4 only")  # the server knows
    expect(page.locator("#outdated")).to_have_text(
        "Still shown: portrait at ×4. Press Run for the scale chosen now."
    )
    visitor.tab("Latent x")
    expect(page.get_by_role("group", name="View")).to_be_visible()


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_nothing_serious_on_any_tab(
    browser: Browser, url: str, tmp_path: Path, photo: Photo, theme: str, width: int
) -> None:
    picture = tmp_path / "small.png"
    picture.write_bytes(encode_png(photo(48, 64)))
    visitor = Visitor(browser, url, width, 1000)
    page = visitor.open(theme)
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    findings = {"compare": serious(page)}
    for tab, run, done in (
        (
            "Latent x",
            "#latent-run",
            "#latent-histogram:has(.js-plotly-plot) ~ #latent-spectrum .js-plotly-plot",
        ),
        ("Stress", "#stress-bytes", "#stress-rate-sentences li"),
    ):
        visitor.tab(tab)
        page.locator(run).click()
        expect(page.locator(done).first).to_be_visible()
        findings[tab] = serious(page)
    for tab in ("Restore", "Benchmark", "About"):
        visitor.tab(tab)
        if tab == "Restore":
            expect(page.locator("#restored canvas").first).to_be_visible()  # it begins by itself
        findings[tab] = serious(page)
    visitor.finish()
    assert {tab: lines for tab, lines in findings.items() if lines} == {}
