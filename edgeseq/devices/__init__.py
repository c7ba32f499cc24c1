"""The machines a model is measured on."""
