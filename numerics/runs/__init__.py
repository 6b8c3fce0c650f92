"""Many solutions: tasks on the processors of a machine or a cluster, and the file that keeps them."""
