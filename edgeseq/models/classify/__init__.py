"""Classifiers: a recording in, a logit for each class out."""
