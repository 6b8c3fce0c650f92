"""One lifting on a uniform grid: its rows, its adjoint, and its tilted averages of other functions."""
