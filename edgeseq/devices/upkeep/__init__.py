"""Looking after boards: what they are, what they lack, setting them up and cleaning up."""
