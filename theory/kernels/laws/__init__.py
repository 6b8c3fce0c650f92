"""What follows from kernels: the iteration towards an equilibrium, and what trained networks predict."""
