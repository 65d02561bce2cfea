"""What some views need beside the payload, each fetched once for a text when a view that needs it is looked at.

A part is a function of the runner and the recorded run; its bytes are packed as the payload is.
"""

from .neurons import neurons
from .stream import stream
from .surgery_part import surgery
from .tensors import tensors

PARTS = {"neurons": neurons, "stream": stream, "surgery": surgery, "tensors": tensors}
