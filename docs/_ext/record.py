"""Sphinx directive `record`: the table of record, to be sorted and searched in the browser.

DataTables comes from the package itables and is part of the page, which asks nothing of the network.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

COLUMNS = ("model", "parameters", "level", "value", "error", "how", "printed", "source")


class Table(SphinxDirective):
    """Show every row that is shipped with the package."""

    def run(self) -> list[nodes.Node]:
        """Return the table as raw HTML; digits stay text, of which nothing is rounded."""
        import pandas as pd
        from itables import javascript, options

        from verify.thresholds.record import read

        record = read()
        frame = pd.DataFrame(record.entries)[list(COLUMNS)]
        options.warn_on_undocumented_option = False
        start = javascript.generate_init_offline_itables_html(options.dt_bundle)
        shown = javascript.to_html_datatable(
            frame,
            connected=False,
            table_id="record",
            showIndex=False,
            paging=False,
            scrollX=True,
            classes="display compact",
            layout={"topStart": "info", "topEnd": "search", "bottomStart": None, "bottomEnd": None},
            maxBytes=0,
        )
        words = f"Computed by widegap {record.version} on {record.date}."
        return [nodes.paragraph(words, words), nodes.raw("", start + shown, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("record", Table)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
