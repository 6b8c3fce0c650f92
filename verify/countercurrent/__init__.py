"""Counter-current learning trained, beside other rules: networks, tables, and claims."""
