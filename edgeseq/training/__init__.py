"""From recipe and features to the best weights: the recipe, the loop, its checkpoints and its draws."""
