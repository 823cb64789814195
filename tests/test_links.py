"""Links and cached examples: what an address asks for, and what is computed once for all visitors."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import gradio as gr
import pytest
from playwright.sync_api import Browser, expect

from fgrn.images import encode_png, read_image
from lab import links
from lab.compare import handlers
from lab.compare.shown import Shown
from lab.compare.snapshot import Run
from lab.examples import EXAMPLES
from lab.ticket import Ticket
from tests.conftest import Photo, Visitor


@pytest.fixture
def examples(tmp_path: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Small examples, which the page takes for its own."""
    made = {}
    for seed, name in enumerate(("portrait", "coffee")):
        made[name] = tmp_path / f"{name}.png"
        made[name].write_bytes(encode_png(photo(48, 64, seed)))
    monkeypatch.setattr(handlers, "EXAMPLES", made)
    return made


def visit(query: str) -> gr.Request:
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    return gr.Request(request=None, query_params=pairs)


def test_a_link_says_what_it_asks_for() -> None:
    query = {
        "example": "coffee",
        "scale": "2",
        "methods": "fgrn,bicubic,",
        "tab": "stress",
        "__theme": "dark",
    }
    link = links.read(query, EXAMPLES)
    assert (link.example, link.scale, link.tab) == (EXAMPLES["coffee"], 2, "stress")
    assert link.methods == ("bicubic", "fgrn"), "in the order of the page"
    assert link.asks_for_a_run and not link.notices


def test_no_link_and_a_tab_alone_change_nothing() -> None:
    assert links.read({}, EXAMPLES) == links.Link()
    assert not links.read({"tab": "about"}, EXAMPLES).asks_for_a_run


@pytest.mark.parametrize(
    ("text", "tab"),
    [("Latent x", "latent"), ("latent-x", "latent"), ("LATENT", "latent"), ("Stress", "stress"), ("", None)],
)
def test_a_tab_goes_by_its_own_name_too(text: str, tab: str | None) -> None:
    link = links.read({"tab": text} if text else {}, EXAMPLES)
    assert link.tab == tab and not link.notices


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"example": "../../etc/passwd"}, "none of cat_341x257"),
        ({"scale": "3"}, "none of 2, 4"),
        ({"tab": "<b>"}, "none of compare"),
        ({"methods": "magic"}, "method 'magic'"),
        ({"methods": ""}, "no method"),
    ],
)
def test_what_a_link_asks_for_in_vain_is_named(query: dict[str, str], words: str) -> None:
    link = links.read(query, EXAMPLES)
    assert not link.asks_for_a_run and link.tab is None
    assert len(link.notices) == 1 and words in link.notices[0]


@pytest.mark.parametrize("methods", [["bicubic"], ["bicubic", "irn", "du_bic"]])
def test_what_is_written_is_read_back(methods: list[str]) -> None:
    query = links.write("coffee", 2, methods)
    link = links.read(dict(parse_qsl(query)), EXAMPLES)
    assert (link.example, link.scale, link.methods) == (EXAMPLES["coffee"], 2, tuple(methods))
    assert links.write(None, 2, methods) == "", "an upload cannot be linked"


@pytest.mark.usefixtures("use_tiny_weights")
def test_examples_run_once_for_all(examples: dict[str, Path], tmp_path: Path) -> None:
    page = handlers.Handlers()
    copy = tmp_path / "copy" / "coffee.png"  # as Gradio hands it over
    copy.parent.mkdir()
    copy.write_bytes(examples["coffee"].read_bytes())

    def pictures(methods: list[str]) -> Run:
        shown = Shown()
        list(page.on_run(Ticket(str(copy), 4, methods, None), shown))
        assert shown.run
        return shown.run

    usual = ["bicubic", "irn", "fgrn"]
    first, second = pictures(usual), pictures(usual)
    assert first.computed and first.token == second.token and first.name == "coffee"
    assert pictures(["bicubic"]).token != first.token, "other methods are another run"
    _, addressed, *_ = page.begin(str(copy), 4, usual, Ticket(), Shown())
    assert addressed == "example=coffee&scale=4&methods=bicubic,irn,fgrn"
    copy.write_bytes(encode_png(read_image(copy).pixels[::-1].copy()))
    other = pictures(usual)
    assert other.token != first.token, "a file of the same name is not the example"
    assert page.begin(str(copy), 4, usual, Ticket(), Shown())[1] == ""


@pytest.mark.usefixtures("use_tiny_weights")
def test_the_page_waits_for_the_link_instead_of_drawing_the_first_example(examples: dict[str, Path]) -> None:
    page = handlers.Handlers()
    assert list(page._watch_example(Ticket(), Shown(), visit("example=coffee"))) == [gr.skip()]
    _, image, scale, methods, _, tabs, address, linked = page.opened(
        visit("example=coffee&scale=2&methods=fgrn&tab=about")
    )
    assert (image, scale, methods.value, linked) == (str(examples["coffee"]), 2, ["fgrn"], True)
    assert address == gr.skip(), "it says what is shown"
    assert tabs.selected == "about"
    assert page.opened(visit("tab=about"))[-1] is False
    shown = Shown()
    list(page._watch_example(Ticket(), shown, visit("tab=about")))
    assert shown.run is not None and shown.run.name == "portrait"


@pytest.mark.usefixtures("use_tiny_weights")
def test_a_link_to_methods_without_weights_runs_the_others_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: said.append(text))
    page = handlers.Handlers()
    for asked, ticked in (("du_bic", ["bicubic", "irn", "fgrn"]), ("bicubic,du_none", ["bicubic"])):
        said.clear()
        *_, methods, _, _, address, _ = page.opened(visit(f"scale=2&methods={asked}"))
        assert methods.value == ticked
        assert address == f"example=portrait&scale=2&methods={','.join(ticked)}"
        assert len(said) == 1 and "at ×2" in said[0] and "has weights for x4 only" in said[0]


# Chromium


@pytest.mark.browser
def test_a_link_opens_the_view_and_the_address_follows(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}?example=coffee&scale=2&methods=bicubic,fgrn&tab=stress")
    expect(page.get_by_role("tab", name="Stress")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#stress-subject")).to_contain_text("coffee.png, ×2, Bicubic, FGRN")
    visitor.tab("Benchmark")
    expect(page.locator("#bench-scale").get_by_label("×2")).to_be_checked()
    expect(page.locator("#bench-methods input:checked")).to_have_count(2)
    visitor.tab("Compare")
    expect(page.locator("#numbers caption")).to_contain_text("coffee")
    expect(page.locator("#numbers tbody tr")).to_have_count(2)
    expect(page.locator("#status [role=status]")).to_have_text("Finished")

    page.locator("#methods").get_by_label("IRN").check()
    page.locator("#run").click()
    expect(page.locator("#numbers tbody tr")).to_have_count(3)
    page.wait_for_url(lambda url: "irn" in url)
    query = dict(parse_qsl(urlsplit(page.url).query))
    assert query == {"example": "coffee", "scale": "2", "methods": "bicubic,irn,fgrn", "tab": "compare"}


@pytest.mark.browser
def test_a_link_to_restore_waits_for_its_run(visitor: Visitor) -> None:
    visitor.page.goto(f"{visitor.url}?example=coffee&scale=2&methods=irn,fgrn&tab=restore")
    expect(visitor.page.locator("#restore-status")).to_contain_text("Restored from coffee_fgrn_x2_lr.png")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_back_and_forward_lead_from_tab_to_tab(browser: Browser, url: str, width: int) -> None:
    visitor = Visitor(browser, url, width, 844)
    page = visitor.page
    page.goto(f"{url}?example=coffee&scale=2&methods=bicubic")
    expect(page.locator("#status [role=status]")).to_have_text("Finished")

    def opened(tab: str) -> None:
        page.wait_for_url(lambda url: dict(parse_qsl(urlsplit(url).query)).get("tab", "compare") == tab)
        expect(page.locator("[role=tab][aria-selected=true]").first).to_have_attribute("data-tab-id", tab)

    for name, tab in (("Stress", "stress"), ("About", "about")):
        visitor.tab(name)
        opened(tab)
    page.go_back()
    opened("stress")
    page.go_back()
    opened("compare")
    expect(page.locator("#numbers caption")).to_contain_text("coffee")
    page.locator("#scale").get_by_label("×4").check()
    page.locator("#run").click()
    page.wait_for_url(lambda url: "scale=4" in url)
    page.go_forward()
    opened("stress")
    assert "scale=4" in page.url, "of what is shown now, not of what was shown then"
    page.go_forward()
    opened("about")
    visitor.finish()


@pytest.mark.browser
def test_a_link_that_is_wrong_in_part_runs_and_says_so_all_the_same(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}?example=coffee&scale=3")
    expect(page.locator("#numbers caption")).to_contain_text("coffee")
    expect(page.locator("#status [role=status]")).to_have_text("Finished")
    expect(page.get_by_test_id("toast-body")).to_contain_text("which is none of 2, 4")
    page.locator("#run").click()
    expect(page.get_by_test_id("toast-body")).to_have_count(0)


@pytest.mark.browser
def test_a_bad_link_says_why_and_opens(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{visitor.url}?example=<img src=x onerror=alert(1)>&scale=3&tab=none&__theme=light")
    expect(page.get_by_test_id("toast-body").first).to_contain_text("which is none of")
    expect(page.locator("#numbers caption")).to_contain_text("portrait")
    page.wait_for_url(lambda url: "onerror" not in url)
    query = dict(parse_qsl(urlsplit(page.url).query))
    assert query == {"example": "portrait", "scale": "4", "methods": "bicubic,irn,fgrn", "__theme": "light"}
