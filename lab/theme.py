"""Colours, fonts of the visitor's own system, and the style sheets."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

FOLDER = Path(__file__).resolve().parent
CSS = [FOLDER / "page.css", FOLDER / "tabs.css", FOLDER / "latent" / "latent.css"]

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The theme; every font is one that the system has, so nothing is fetched."""
    return gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="#f6f8fa",
        body_background_fill_dark="#0d1320",
        block_background_fill="#ffffff",
        block_background_fill_dark="#151d2c",
        block_border_color="#dde4ec",
        block_border_color_dark="#26324a",
        block_label_background_fill="#ffffff",
        block_label_background_fill_dark="#151d2c",
        input_background_fill="#ffffff",
        input_background_fill_dark="#0f1725",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_background_fill_dark="#0f766e",
        button_primary_background_fill_hover_dark="#115e59",
        body_text_color_subdued="#5b6b80",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        color_accent="#0f766e",
        block_info_text_color="#5b6b80",
        block_info_text_color_dark="#9fb0c6",
        block_shadow="none",
        block_label_text_color="#475569",
        block_label_text_color_dark="#a8b5c8",
    )
