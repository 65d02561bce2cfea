"""A teacher's evening: a whole class checked, its tables and pages, and Gradescope."""
