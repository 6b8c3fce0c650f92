"""What wide networks predict, and matrices decomposed with bounds of what is lost."""
