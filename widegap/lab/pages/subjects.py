"""The page of a subject, named in the address: ``/subjects/?subject=parities``."""

import marimo

app = marimo.App(width="medium", app_title="widegap lab: a subject", css_file="lab.css")


@app.cell
def _():
    from html import escape

    import marimo as mo

    from widegap.lab import notebook, subjects
    from widegap.lab.worker import Desk

    deriving, drawing, asking = Desk(), Desk(), Desk()
    notebook.navigation("/subjects/")
    return asking, deriving, drawing, escape, mo, notebook, subjects


@app.cell
def _(mo, notebook, subjects):
    subject = subjects.known(mo.query_params().get("subject"))
    mo.vstack([notebook.subject_links(subject), mo.md(f"# {subject.capitalize()}")])
    return (subject,)


@app.cell
def _(mo, notebook, subject, subjects):
    law = notebook.choice(subjects.laws(subject), "Law")
    mo.vstack([mo.md("## Laws"), law])
    return (law,)


@app.cell
def _(deriving, law, notebook, subject, subjects):
    notebook.follow(deriving, subjects.derived, subject, law.value)


@app.cell
def _(law, mo, notebook, subject, subjects):
    ranges = subjects.scales(subject, law.value)
    along = notebook.choice(list(ranges), "Against")
    moved = mo.ui.dictionary(
        {
            name: notebook.slider(values, subjects.middle(values), name)
            for name, values in ranges.items()
        }
    )
    _none = mo.md("Its right-hand side is no number that a curve could show.")
    mo.vstack([along, *moved.elements.values()]) if ranges else _none
    return along, moved


@app.cell
def _(along, drawing, law, moved, notebook, subject, subjects):
    if moved.value:
        given = tuple(moved.value.items())
        notebook.follow(drawing, subjects.curve, subject, law.value, along.value, given)


@app.cell
def _(asking, deriving, drawing, mo, notebook, subject, subjects):
    lines = subjects.examples(subject)
    example = notebook.choice(lines, "Start from")
    stop = notebook.stop_button(asking, deriving, drawing)
    _none = mo.md("Nothing without files of yours: `widegap --help` says what reads them.")
    mo.vstack([mo.md("## Its numbers and its picture"), *([example, stop] if lines else [_none])])
    return example, stop


@app.cell
def _(escape, example, mo, notebook, subjects):
    asked_for = subjects.controls(example.value) if example.value else ()

    def _element(control):
        label = control.option or "question"
        if control.kind == "slider":
            return notebook.slider([float(x) for x in control.values], float(control.start), label)
        if control.kind == "choice":
            return notebook.choice(control.values, label, control.start)
        if control.kind == "flag":
            return mo.ui.checkbox(bool(control.start), label=label)
        return mo.ui.text(control.start, label=label, placeholder="not given", full_width=True)

    def _help(control):
        return mo.Html(f'<small class="help">{escape(control.help)}</small>')

    elements = mo.ui.array([_element(control) for control in asked_for])
    pairs = zip(elements.elements, asked_for, strict=True)
    mo.vstack([mo.vstack([element, _help(control)], gap=0) for element, control in pairs])
    return asked_for, elements


@app.cell
def _(asked_for, asking, elements, example, notebook, subjects):
    if example.value:
        pairs_now = zip(asked_for, elements.value, strict=True)
        values = tuple(subjects.written(control, value) for control, value in pairs_now)
        notebook.follow(asking, subjects.answered, subjects.line(example.value, values))


if __name__ == "__main__":
    app.run()
