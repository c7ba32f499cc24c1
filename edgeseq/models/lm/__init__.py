"""Language models: tokens in, the logits of each next one out."""
