r"""
How much data, and what a network cannot see
============================================

The learning curve of a kernel is predicted from its spectrum and measured; its exponent comes from the
spectrum and the target; permuted pixels make no difference to a perceptron, and all the difference to a
kernel of patches.
"""

# %%
# A spectrum by degree
# --------------------
#
# On the sphere eigenvalues are integrals, found with an error bound. Equilibrium models have no
# closed form, and need none.

from numerics import sphere_spectrum
from theory import DEQ, MLP

spectrum = sphere_spectrum(DEQ("relu", sigma_w=0.6), dimension=16, degrees=6)
print(spectrum)
print(f"in higher degrees: {spectrum.rest / spectrum.total:.1%}")

# %%
# A curve on data
# ---------------
#
# The population is scikit-learn's digits. ``coupling`` says that hard digits are also the ones with
# much leverage, so that the theory, which does not know it, is low once more than a tenth of them are
# trained on.

import numpy as np

from numerics import kernel, learning_curve
from verify.scaling.tasks import digits, measured, one_hot

x, labels = digits()
targets = one_hot(labels)
model = MLP("relu", depth=2)
curve = learning_curve(model, x, targets, [25, 50, 100, 200, 400])
print(curve)
print("exponents: alpha", curve.alpha, "g", curve.tail)

rng = np.random.default_rng(0)
gram = kernel(model, x).ntk
for n, predicted in zip(curve.sizes, curve.mse, strict=True):
    errors = [
        measured(gram, targets, rng.choice(len(x), int(n), replace=False))[0] for _ in range(8)
    ]
    print(f"n = {n:3.0f}: measured {np.mean(errors):.4f}, predicted {predicted:.4f}")

figure = curve.plot()

# %%
# Permuted pixels
# ---------------
#
# A task with a local pattern at any place. The perceptron's kernel is the same to rounding when
# pixels are permuted; the kernel of patches wins on images, and loses on permuted ones.

from verify.scaling.tasks import PERCEPTRON, accuracy, local_task, pooled_kernel

images, kinds = local_task(rng, 260)
shuffled = images[:, rng.permutation(images.shape[1])]
chosen = np.arange(60)
for name, pixels in (("images", images), ("permuted", shuffled)):
    for what, matrix in (
        ("perceptron", kernel(PERCEPTRON, pixels).nngp),
        ("patches", pooled_kernel(pixels)),
    ):
        found = measured(matrix, one_hot(kinds), chosen, 1e-2 * matrix[0, 0])[1]
        print(f"{name:9} {what:11} accuracy {accuracy(found, kinds, chosen):.3f}")
