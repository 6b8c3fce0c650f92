"""Neural operators on linear equations and on Burgers, fitted and trained, beside what theory says."""
