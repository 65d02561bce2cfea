"""One file per page: layout and events, no drawing, no maths."""
