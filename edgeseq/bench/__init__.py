"""Measuring an artifact on devices: which formats, by which agent, and what this host adds to its result."""
