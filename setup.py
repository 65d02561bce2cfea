"""Which packages are installed; all else about them stands in pyproject.toml.

``assets`` lies beside the packages here, and inside ``llm_core`` where they are installed.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["explorer*", "llm_core*"]), "llm_core.assets"],
    package_dir={"llm_core.assets": "assets"},
)
