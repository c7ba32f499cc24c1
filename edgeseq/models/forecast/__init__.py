"""Forecasters: the last moments of some channels in, the next ones out."""
