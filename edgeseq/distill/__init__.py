"""Distillation: teachers, transfer sets, losses and the comparison of what came out."""
