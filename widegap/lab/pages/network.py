"""The page of a network."""

import marimo

app = marimo.App(width="medium", app_title="widegap lab: a network", css_file="lab.css")


@app.cell
def _():
    import marimo as mo

    from widegap.lab import networks, notebook
    from widegap.lab.models import steps
    from widegap.lab.worker import Desk

    desks = deriving, mapping, drawing = Desk(), Desk(), Desk()
    notebook.navigation("/network/")
    return deriving, desks, drawing, mapping, mo, networks, notebook, steps


@app.cell
def _(desks, mo, networks, notebook, steps):
    phi = mo.ui.text("erf", label="Activation", placeholder="a name, or an expression in x")
    sigma_w = notebook.slider(steps(*networks.SIGMA_W), 1.4, "sigma_w")
    sigma_b = notebook.slider(steps(*networks.SIGMA_B), 0.1, "sigma_b")
    depth = notebook.slider(range(1, 11), 3, "depth")
    stop = notebook.stop_button(*desks)
    mo.vstack([mo.md("# A network"), phi, sigma_w, sigma_b, depth, stop])
    return depth, phi, sigma_b, sigma_w, stop


@app.cell
def _(mo):
    mo.md("## The dual of its activation")


@app.cell
def _(deriving, networks, notebook, phi):
    notebook.follow(deriving, networks.dual_of, phi.value)


@app.cell
def _(mo):
    mo.md("## Order and chaos")


@app.cell
def _(mapping, networks, notebook, phi, sigma_b, sigma_w):
    notebook.follow(mapping, networks.phase, phi.value, sigma_w.value, sigma_b.value)


@app.cell
def _(mo):
    mo.md("## The kernel, and networks that are drawn")


@app.cell
def _(depth, drawing, networks, notebook, phi, sigma_b, sigma_w):
    notebook.follow(drawing, networks.widths, phi.value, depth.value, sigma_w.value, sigma_b.value)


if __name__ == "__main__":
    app.run()
