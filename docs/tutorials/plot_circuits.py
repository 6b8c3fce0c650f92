r"""
Which edges carry a fact?
=========================

Two heads that do the same, what each attribution method makes of them, and a transformer in which that can be
checked.
"""

# %%
# An OR gate
# ----------
#
# The loss is 0 where any of two heads works. Without one of them nothing is lost, so that single ablation
# and its first order, EAP, see neither; ACDC keeps the one that it visits last.

from numerics.circuits import Compiled, compare
from theory.circuits import LAWS, Residual, X, gate

print(compare(Compiled(gate("or"))))

# %%
# The table of gates is derived:

print(LAWS["gates"]().value)

# %%
# A graph of one's own
# --------------------
#
# Nodes are functions of the sum of what they hear.

from sympy import Max, tanh

graph = Residual(
    {"early": tanh(2 * X), "copy": X, "late": Max(0, X) - Max(0, X - 1), "output": Max(0, 1 - X)},
    [
        *(("input", "early"), ("early", "late"), ("early", "output"), ("late", "output")),
        *(("input", "copy"), ("copy", "late")),
    ],
)
table = compare(Compiled(graph))
print(table)
figure = table.plot()

# %%
# A transformer with a copy of a head
# -----------------------------------
#
# Two of its heads move the subject of a question. Where edges that are cut bring nothing, EAP-IG finds both,
# and ACDC one of them: the order of visits decides which.

import numpy as np

from numerics.circuits import acdc, eap, eap_ig
from verify.circuits.facts import planted

facts = planted(0)
model = facts.patched(zero=True)
first, second, rest = facts.circuit(zero=True)
scores, error = eap_ig(model, 1e-3)
for name, edges in (("one copy", first), ("the other", second)):
    where = [model.edges.index(edge) for edge in edges]
    print(name, "EAP", np.abs(eap(model)[where]).max().round(6), "EAP-IG", scores[where].round(3))
for visits in (model.edges[::-1], model.edges):
    keep = acdc(model, 0.01, visits)
    kept = {edge for edge, there in zip(model.edges, keep, strict=True) if there}
    copies = [kept >= set(copy) for copy in (first, second)]
    print(f"ACDC keeps {len(kept)} edges, copies {copies}, and answers {model.hits(keep):.0%}")

# %%
# An edit
# -------
#
# The least change of a linear memory that puts one fact into it, and what it does to another key.

from numerics.circuits import edit, spill

keys = np.random.default_rng(0).normal(size=(6, 8))
moments = keys[:5].T @ keys[:5] + 1e-3 * np.eye(8)
change = edit(np.zeros((2, 8)), moments, keys[0], [1.0, -1.0])
print("a key that counts", change @ keys[1], "one that does not", change @ keys[5])
print("derived share", spill(moments, keys[0], keys[5]))
