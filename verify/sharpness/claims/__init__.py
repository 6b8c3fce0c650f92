"""Claims about sharpness-aware minimisation and filtered features."""
