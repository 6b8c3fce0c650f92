"""What a check is: claims, the theory under test, properties, verdicts, and a run that loses none of them."""
