"""Reports of a run: JSON and JUnit XML for programs, one page of HTML for people."""
