"""What the lesson on training computes: two articles and their loss, and what a step does to a copy of the model."""
