"""The tables written from assets/results: their figures are those of the files, ours and the paper's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fgrn.methods import METHODS, WEIGHTS, weights_path
from training import quality_tables, report, speed_tables

CARD = {"sha256": "0" * 64, "parameters": 2_090_000, "provenance": {"samples": 8000, "minutes": 90.0}}
FIGURES = {
    **{"psnr_y": 30.111, "ssim_y": 0.91234, "psnr_y_direct": 30.136, "lr_psnr_y": 40.557, "x_exact": 0.98765},
    **{"lr_psnr_rgb": 33.219, "niqe": 5.4321, "piqe": 41.2345},
}
STUDY_NAMES = {f"study-{name}" for name in report.STUDIES}


def cells(table: str) -> dict[str, dict[str, str]]:
    """Rows of a Markdown table by their first cell, the others by the head of their column."""
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1
    assert set("".join(lines[1])) <= set("-:")
    return {line[0].strip("*"): dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[2:]}


@pytest.fixture
def paper() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((report.RESULTS / "paper.json").read_text())
    return content


def study(name: str = "guidance", **variants: dict[str, Any]) -> dict[str, Any]:
    """Results of a study with these figures of its variants on two sets."""
    return {
        "scale": 4,
        "study": name,
        "weights": {key: {**CARD, "label": f"our {key}", "change": f"with {key}"} for key in variants},
        "datasets": {
            "Set14": {key: {"mean": figures} for key, figures in variants.items()},
            "Set5": {key: {"mean": {**figures, "psnr_y": 35.0}} for key, figures in variants.items()},
        },
    }


def test_only_what_is_marked_is_replaced() -> None:
    text = (
        "before\n<!-- table a -->\nold\n<!-- /table -->\nbetween\n<!-- table b -->\n<!-- /table -->\nafter\n"
    )
    filled = report.fill(text, {"a": "| new |\n", "b": "| other |\n"})
    assert filled == (
        "before\n<!-- table a -->\n| new |\n<!-- /table -->\n"
        "between\n<!-- table b -->\n| other |\n<!-- /table -->\nafter\n"
    )
    assert report.fill(filled, {"a": "| new |\n", "b": "| other |\n"}) == filled
    with pytest.raises(KeyError):
        report.fill(text, {"a": ""})


def test_tables_of_the_documents_are_those_of_the_results() -> None:
    assert report.main(["--check"]) == 0, "run `python -m training.report` and commit the documents"


def test_every_table_stands_in_one_document_once() -> None:
    texts = [document.read_text() for document in report.DOCUMENTS]
    names = [re.findall(r"<!-- table (\S+) -->", text) for text in texts]
    assert sorted(names[0] + names[1]) == sorted(report.TABLES)
    assert {"study-guidance", "study-latent"} <= set(names[0])
    own = {
        "flow-blend",
        "flow-blend-x4",
        "rounding",
        *(f"rescaling-blend-{x}" for x in ("x2", "x4", "x4-gpu")),
    }
    assert set(names[1]) == STUDY_NAMES - {"study-guidance", "study-latent"} | own
    assert all(text.count("<!-- table") == text.count("<!-- /table -->") for text in texts)


def test_both_documents_are_written_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = (tmp_path / "README.md", tmp_path / "training.md")
    documents[0].write_text("<!-- table lr-x4 -->\n<!-- /table -->\n")
    documents[1].write_text("<!-- table study-nothing -->\n<!-- /table -->\n")
    monkeypatch.setattr(report, "DOCUMENTS", documents)
    monkeypatch.setitem(report.TABLES, "study-nothing", ("study_nothing.json", quality_tables.study_table))
    assert report.main(["--check"]) == 1
    assert documents[0].read_text().count("\n") == 2
    assert report.main([]) == 0
    assert report.main(["--check"]) == 0
    assert documents[0].read_text().count("\n") > 4
    assert documents[1].read_text() == "<!-- table study-nothing -->\nnot measured yet\n<!-- /table -->\n"
    documents[1].write_text(documents[1].read_text().replace("yet", "ever"))
    assert report.main(["--check"]) == 1


@pytest.mark.parametrize("scale", [2, 4])
def test_benchmark_tables_show_the_figures_of_the_files(scale: int, paper: dict[str, Any]) -> None:
    results = json.loads((report.RESULTS / f"benchmark_x{scale}.json").read_text())
    quality = cells(quality_tables.reconstruction_table(results, paper))
    blind = cells(quality_tables.lr_quality_table(results, paper))
    lr = cells(quality_tables.lr_table(results))
    colour = cells(quality_tables.colour_table(results))
    for dataset, methods in results["datasets"].items():
        for name, entry in methods.items():
            mean, label = entry["mean"], METHODS[name].label
            assert quality[label][dataset] == f"{mean['psnr_y']:.2f} / {mean['ssim_y']:.4f}"
            if rgb := mean.get("psnr_rgb"):
                assert colour[label][dataset] == f"{rgb:.2f}"
            assert blind[label][dataset].endswith(f" / {mean['piqe']:.3f}")
            row = lr[f"{label}, {dataset}"]
            assert row["x recovered exactly (%)"] == f"{100 * mean['x_exact']:.2f}"
            assert float(row["cost of the round trip (dB)"]) == pytest.approx(
                mean["psnr_y_direct"] - mean["psnr_y"], abs=5e-4
            )
        for table, figures, form in (
            ("reconstruction", quality, "{:.2f} / {:.4f}"),
            ("lr-quality", blind, "{:.3f} / {:.3f}"),
        ):
            for label, row in paper[table][f"x{scale}"].items():
                assert figures[f"{label}, as the paper reports"][dataset] == form.format(*row[dataset])
    provenance = results["weights"]["fgrn"]["provenance"]
    assert quality["FGRN"]["patches seen"] == f"{provenance['samples']:,}"


def test_tables_do_not_depend_on_the_order_of_the_file(paper: dict[str, Any]) -> None:
    results = json.loads((report.RESULTS / "benchmark_x4.json").read_text())
    turned = {
        **results,
        "datasets": {
            name: dict(reversed(methods.items())) for name, methods in reversed(results["datasets"].items())
        },
    }
    for table in (quality_tables.reconstruction_table, quality_tables.lr_quality_table):
        assert table(turned, paper) == table(results, paper)
    assert quality_tables.lr_table(turned) == quality_tables.lr_table(results)


def test_what_comes_back_as_it_was_is_called_exact(paper: dict[str, Any]) -> None:
    mean = {"psnr_y": "inf", "psnr_rgb": "inf", "ssim_y": 1.0, "psnr_y_direct": "inf", "x_exact": 1.0}
    results = {"scale": 2, "weights": {}, "datasets": {"Set5": {"bicubic": {"mean": mean, "images": {}}}}}
    assert "| exact / 1.0000 |" in quality_tables.reconstruction_table(results, paper)
    assert "| exact |" in quality_tables.colour_table(results)
    assert "| - | - | - | 100.00 |" in quality_tables.lr_table(results)


def test_a_niqe_of_some_images_says_of_how_many(paper: dict[str, Any]) -> None:
    images = [{**FIGURES, "niqe": niqe} for niqe in (None, 5.0, None)]
    entry = {"mean": {**FIGURES, "niqe": 5.0}, "images": dict(zip("abc", images, strict=True))}
    results = {"scale": 4, "weights": {}, "datasets": {"Set5": {"bicubic": entry}}}
    assert (
        cells(quality_tables.lr_quality_table(results, paper))["Bicubic"]["Set5"] == "5.000 (1 of 3) / 41.234"
    )
    entry["mean"] = {**FIGURES, "niqe": None}
    entry["images"] = {"a": {**FIGURES, "niqe": None}}
    assert cells(quality_tables.lr_quality_table(results, paper))["Bicubic"]["Set5"] == "- / 41.234"


def test_the_paper_has_four_tables(paper: dict[str, Any]) -> None:
    """Every row has all sets; spot checks against the print."""
    tables = {name: entry for name, entry in paper.items() if name != "source"}
    assert [entry["table"] for entry in tables.values()] == [1, 2, 3, 4]
    for entry in tables.values():
        for scale in entry.keys() - {"table", "figures"}:
            for row in entry[scale].values():
                assert [len(row[dataset]) for dataset in quality_tables.SETS] == [2] * 4
    assert paper["reconstruction"]["x2"]["FGRN"]["Urban100"] == [41.71, 0.9904]
    assert paper["lr-quality"]["x4"]["CAR"]["Urban100"] == [20.284, 48.508]
    assert paper["guidance"]["x4"]["DU_none"]["BSD100"] == [32.41, 0.9045]
    assert paper["latent"]["x4"]["IRN z0"]["Set14"] == [32.70, 0.9013]
    # the paper prints these networks twice
    assert paper["guidance"]["x4"]["DU_flow"].items() <= paper["reconstruction"]["x4"]["FGRN"].items()
    assert paper["latent"]["x4"]["IRN z"].items() <= paper["reconstruction"]["x4"]["IRN"].items()


def test_a_study_shows_its_variants_in_order_and_the_paper_below(paper: dict[str, Any]) -> None:
    first, second = {**FIGURES, "psnr_y": 29.0}, dict(FIGURES)
    rows = cells(quality_tables.study_table(study(du_none=first, irn=second), paper))
    names = list(paper["guidance"]["x4"])
    assert list(rows) == ["our du_none", "our irn", *(f"{name}, as the paper reports" for name in names)]
    assert rows["our du_none"] == {
        "what differs": "with du_none",
        "patches seen": "8,000",
        "Set5": "35.00 / 0.9123",
        "Set14": "29.00 / 0.9123",
        "LR against bicubic (dB)": "40.56",
        "LR against bicubic, RGB (dB)": "33.22",
        "cost of the round trip (dB)": f"{30.136 - (35 + 29) / 2:.3f}",
        "x recovered exactly (%)": "98.77",
        "PIQE of the LR": "41.23",
    }
    reported = rows["DU_bic, as the paper reports"]
    assert (reported["Set5"], reported["PIQE of the LR"]) == ("34.31 / 0.9258", "-")
    assert list(cells(quality_tables.study_table(study("ema", du_none=first), paper))) == ["our du_none"]


def test_a_study_leaves_out_columns_without_figures(paper: dict[str, Any]) -> None:
    without = {key: value for key, value in FIGURES.items() if key not in ("piqe", "niqe")}
    infinite = {**without, "lr_psnr_y": None}
    rows = cells(quality_tables.study_table(study("ema", a=without, b=infinite), paper))
    assert "PIQE of the LR" not in rows["our a"]
    assert [rows[f"our {name}"]["LR against bicubic (dB)"] for name in "ab"] == ["40.56", "-"]
    partial = study("ema", a=without)
    partial["datasets"]["Set5"]["a"]["mean"] = {**without, "lr_psnr_y": None}
    assert (
        "LR against bicubic (dB)" not in cells(quality_tables.study_table(partial, paper))["our a"]
    )  # no mean of one
    del partial["datasets"]["Set5"]["a"]
    assert cells(quality_tables.study_table(partial, paper))["our a"]["Set5"] == "-"


def test_study_files_fill_their_markers(tmp_path: Path, paper: dict[str, Any]) -> None:
    (tmp_path / "paper.json").write_text(json.dumps(paper))
    assert set(report.tables(tmp_path).values()) == {report.NOT_MEASURED}
    results = study("gamma", a=FIGURES)
    (tmp_path / "study_gamma.json").write_text(json.dumps(results))
    written = report.tables(tmp_path)
    assert written["study-gamma"] == quality_tables.study_table(results, paper)
    assert written["study-ema"] == report.NOT_MEASURED


def test_shipped_results_are_of_the_shipped_weights() -> None:
    """The JSON that the README shows names the digests of the weight files beside it."""
    for scale in (2, 4):
        results = json.loads((report.RESULTS / f"benchmark_x{scale}.json").read_text())
        for name, card in results["weights"].items():
            file = weights_path(name, scale, WEIGHTS).with_suffix(".json")
            shipped = json.loads(file.read_text())
            assert card["sha256"] == shipped["sha256"]


def test_a_limit_that_was_too_low_for_a_gpu_has_no_peaks() -> None:
    picture = {"method": "fgrn", "scale": 2, "width": 60, "height": 40}
    peaks = {"peak_gigabytes_down": 2.7, "peak_gigabytes_up": 1.2, "seconds_down": 1.0, "seconds_up": 0.8}
    rows = [{**picture, "limit": None, **peaks}, {**picture, "limit": 0.1, "error": "out of memory"}]
    table = speed_tables.gpu_memory_table({"rows": rows}).splitlines()
    assert table[2] == "| 60 x 40, FGRN x2 | - | 2.70 | 1.20 | 1.00 | 0.80 |"
    assert table[3] == "| 60 x 40, FGRN x2 | 0.1 | - | - | - | - |"
