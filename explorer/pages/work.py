"""How many programs the endpoints serve at once; what the pages themselves ask has lanes of its own (``ask.py``)."""

MODEL_WORK = {"concurrency_limit": 8, "concurrency_id": "model"}
LONG_WORK = {"concurrency_limit": 8, "concurrency_id": "writing"}  # or eight who write would let nobody look
