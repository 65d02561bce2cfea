"""How fast text is written for one user, and for eight at once: tokens per second through the app's API.

    python -m tests.benchmarks.bench_users

The app runs as its user starts it; each user asks ``generate_text`` for COUNT tokens, which stream. Printed are the
tokens of all users per second, those of the slowest user, and how far the slowest was when the first one finished.
"""

import argparse
import threading
import time

from gradio_client import Client

from tests.ui.serving import running_app

COUNT = 100
TEXT = "How to Make a Paper Boat in {} steps"


class User:
    """One user who waits for a text: when the tokens came."""

    def __init__(self, client: Client, number: int):
        self.client, self.number, self.times = client, number, []
        self.thread = threading.Thread(target=self.read)

    def read(self) -> None:
        asked = (TEXT.format(self.number), COUNT, 1.0, 0, 1.0, self.number)
        for _ in self.client.submit(*asked, api_name="/generate_text"):
            self.times.append(time.perf_counter())


def measure(client: Client, num_users: int) -> str:
    users = [User(client, number) for number in range(num_users)]
    start = time.perf_counter()
    for user in users:
        user.thread.start()
    for user in users:
        user.thread.join()
    took = max(user.times[-1] for user in users) - start
    rates = [len(user.times) / (user.times[-1] - start) for user in users]
    finished = min(user.times[-1] for user in users)
    behind = min(sum(at <= finished for at in user.times) / len(user.times) for user in users)
    total = sum(len(user.times) for user in users)
    return (
        f"{num_users} at once   all together {total / took:6.1f} tokens/s   slowest user {min(rates):6.1f} tokens/s   "
        f"when the first was done, the slowest had {behind:4.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the writing for one and eight users.")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8])
    args = parser.parse_args()
    with running_app() as app:
        client = Client(app.url, verbose=False)
        measure(client, 1)  # the first text waits for the model
        for num_users in args.users:
            print(measure(client, num_users))


if __name__ == "__main__":
    main()
