"""Other people's software, measured in environments of its own."""
