"""placeholder"""

import typer


def demo() -> None:
    """The tour."""
