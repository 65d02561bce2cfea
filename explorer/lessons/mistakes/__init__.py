"""What a mistake does to a model, for the lessons that show one: two runs side by side, and what losses say."""
