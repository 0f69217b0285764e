"""HTML from nested parts: what is not a part already is escaped, so that no text of the data can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = {"br", "img", "meta"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: object, **attributes: object) -> Html:
    """An element; `class_` is the attribute class, `data_x` data-x. None among the children is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = together(children)
    return Html(f"<{name}{written}>" if name in VOID else f"<{name}{written}>{inner}</{name}>")


def together(children: Iterable[object]) -> Html:
    """Parts one behind the other; sequences are flattened."""
    return Html("".join(_text(child) for child in children))


def _text(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, list | tuple):
        return together(child)
    return escape(str(child), quote=True)


def table(
    headings: Sequence[object],
    rows: Iterable[Sequence[object]],
    numbers: Sequence[int] = (),
    **attributes: object,
) -> Html:
    """A table that scrolls sideways on a narrow screen; columns `numbers` stand to the right."""

    def cells(name: str, row: Sequence[object]) -> list[Html]:
        return [
            element(
                name,
                cell,
                class_="number" if place in numbers else None,
                scope="col" if name == "th" else None,
            )
            for place, cell in enumerate(row)
        ]

    body = [element("tr", cells("td", row)) for row in rows]
    whole = element(
        "table", element("thead", element("tr", cells("th", headings))), element("tbody", body), **attributes
    )
    return element("div", whole, class_="scroll")
