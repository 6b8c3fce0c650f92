"""Sharpness-aware minimisation on graphs: few-shot tasks, the learning rules, their comparison, claims."""
