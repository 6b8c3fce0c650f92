"""What chance allows: exact tests with their power, fixed before they run, and the evidence they leave."""
