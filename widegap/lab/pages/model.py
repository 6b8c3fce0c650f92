"""The page of a model."""

import marimo

app = marimo.App(width="medium", app_title="widegap lab: a model", css_file="lab.css")


@app.cell
def _():
    import marimo as mo

    from widegap.lab import models, notebook
    from widegap.lab.worker import Desk

    deriving, solving, climbing = Desk(), Desk(), Desk()
    notebook.navigation("/")
    return climbing, deriving, mo, models, notebook, solving


@app.cell
def _(mo, models, notebook):
    chosen = notebook.choice(models.MODELS, "Model")
    level = notebook.slider(range(1, models.MOST + 1), 4, "level")
    mo.vstack([mo.md("# A model"), level, chosen])
    return chosen, level


@app.cell
def _(chosen, mo, models, notebook):
    lowest, highest, start = models.KAPPA[chosen.value]
    kappa = notebook.slider(models.steps(lowest, highest), start, "kappa")
    alpha = notebook.slider(models.steps(0.05, 4.0), 1.0, "alpha")
    constraint = mo.ui.text("-kappa <= z <= 2*kappa", label="Constraint on z = (Gx)_i")
    prior = mo.ui.text("{-1, 1}", label="Entries of x")
    typed = [constraint, prior] if chosen.value == "typed" else []
    own = {"sk": [], "hopfield": [alpha], "negative-hopfield": [alpha]}.get(chosen.value, [kappa])
    mo.vstack([*typed, *own])
    return alpha, constraint, kappa, prior


@app.cell
def _(alpha, chosen, constraint, kappa, models, prior):
    asked = models.Asked(
        chosen.value, str(kappa.value), str(alpha.value), constraint.value, prior.value
    )
    return (asked,)


@app.cell
def _(climbing, deriving, mo, notebook, solving):
    stop = notebook.stop_button(solving, climbing, deriving)
    mo.vstack([mo.md("## Thresholds"), stop])
    return (stop,)


@app.cell
def _(asked, level, models, notebook, solving):
    notebook.follow(solving, models.thresholds, asked, level.value)


@app.cell
def _(mo):
    all_levels = mo.ui.run_button(label="Find the limit of all levels (minutes)")
    mo.vstack([mo.md("## Level infinity"), all_levels])
    return (all_levels,)


@app.cell
def _(all_levels, asked, climbing, models, notebook):
    if all_levels.value or climbing.known(models.limit_of, asked):
        notebook.follow(climbing, models.limit_of, asked)


@app.cell
def _(mo):
    mo.md("## Derivation")


@app.cell
def _(asked, deriving, level, models, notebook):
    notebook.follow(deriving, models.derivation, asked.symbolic(), level.value)


if __name__ == "__main__":
    app.run()
