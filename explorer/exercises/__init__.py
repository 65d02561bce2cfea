"""The homework's nine blocks as exercises: the skeleton's functions with lines in them, and blanks in the lines."""
