"""The lab: reactive pages in the browser on what the layers below derive, solve and check."""
