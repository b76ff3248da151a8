"""Shows what each operation can do as one HTML page: ``python tools/opboard.py build/opboard.html``.

The rows are the public operations, the columns the capabilities; a "no" carries its reason as the cell's title and text.
"""

from __future__ import annotations

import html
import sys
from pathlib import Path

from gen import load_registry

STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222 }
table { border-collapse: collapse } th, td { padding: 2px 8px; border-bottom: 1px solid #ddd; text-align: left }
th { position: sticky; top: 0; background: #fff } code { font-size: 13px }
.derived { background: #dff3df } .written { background: #dfe9f8 } .no { background: #f6f6f6; color: #777; font-size: 12px; max-width: 16em }
.blank { background: #f99 }
"""


def page(registry) -> str:
    from taeda.ops.capabilities import CAPABILITIES, capabilities, is_public

    rows = [registry[key] for key in sorted(registry) if is_public(registry[key])]
    matrix = [(row, capabilities(row)) for row in rows]
    body = "\n".join(board_row(row, cells) for row, cells in matrix)
    counts = "".join(
        f"<td>{sum(not cells[name].startswith('no') for _, cells in matrix)}</td>" for name in CAPABILITIES
    )
    head = "".join(f"<th>{name}</th>" for name in CAPABILITIES)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>taeda: operations</title><style>{STYLE}</style>
<h1>Operations and what they can do</h1>
<p>{len(rows)} public rows. <span class="derived">derived</span>: follows from the definition.
<span class="written">written</span>: by hand. <span class="no">no</span>: with the reason.</p>
<table><thead><tr><th>operation</th><th>homes</th>{head}</tr></thead>
<tbody>
{body}
<tr><th>can</th><td></td>{counts}</tr>
</tbody></table>
<h2>Names of PyTorch that are not there</h2>
<p>They can be imported; using one raises NotImplementedError with the reason.</p>
<table><tbody>
{absent_names()}
</tbody></table></html>
"""


def absent_names() -> str:
    from taeda.ops.absent import ABSENT

    return "\n".join(
        f"<tr><td>{html.escape(reason)}</td><td><code>{' '.join(sorted(names.split()))}</code></td></tr>"
        for reason, names in ABSENT.items()
    )


def board_row(row, cells: dict[str, str]) -> str:
    parts = "".join(board_cell(text) for text in cells.values())
    signature = html.escape(" ".join(row.text.split()))
    return f'<tr><td><code title="{signature}">{row.key}</code></td><td>{" ".join(row.where)}</td>{parts}</tr>'


def board_cell(text: str) -> str:
    kind = text.partition(":")[0] or "blank"
    if kind not in (
        "no",
        "blank",
        "written",
    ):  # "linear", "a loop over the samples": ways to follow from the definition
        kind = "derived"
    return f'<td class="{kind}">{html.escape(text.removeprefix("no: "))}</td>'


def main(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(load_registry()))
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
