"""What people see: tables, figures, live progress."""
