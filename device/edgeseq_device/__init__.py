"""What runs on the board: the standard library, numpy and one runtime. Python 3.9 to 3.13."""

__version__ = "0.1.0"
