"""The page of claims."""

import marimo

app = marimo.App(width="medium", app_title="widegap lab: claims", css_file="lab.css")


@app.cell
def _():
    import marimo as mo

    from widegap.lab import claims, notebook
    from widegap.lab.worker import Desk

    checking = Desk()
    notebook.navigation("/claims/")
    return checking, claims, mo, notebook


@app.cell
def _(claims, mo, notebook):
    tag = notebook.choice(list(claims.catalogue()), "About")
    mo.vstack([mo.md("# Claims"), tag])
    return (tag,)


@app.cell
def _(claims, mo, notebook, tag):
    claim = notebook.choice(claims.catalogue()[tag.value], "Claim")
    mo.vstack([claim])
    return (claim,)


@app.cell
def _(claim, claims, mo):
    mo.Html(claims.described(claim.value))


@app.cell
def _(checking, claim, claims, mo, notebook):
    theory = notebook.choice(claims.theories(claim.value), "Theory")
    seed = mo.ui.number(0, 10**6, value=0, label="Seed")
    check = mo.ui.run_button(label="Check it")
    stop = notebook.stop_button(checking)
    mo.vstack([theory, seed, mo.hstack([check, stop], justify="start")])
    return check, seed, stop, theory


@app.cell
def _(claims, mo, theory):
    mo.Html(claims.believed(theory.value))


@app.cell
def _(check, checking, claim, claims, notebook, seed, theory):
    if check.value:
        notebook.follow(checking, claims.examined, claim.value, theory.value, int(seed.value))


if __name__ == "__main__":
    app.run()
