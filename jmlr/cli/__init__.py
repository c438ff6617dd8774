"""The words of the command line."""


def main() -> None:
    """Run the command line; its words are imported only now, so that a stage need not know them."""
    from jmlr.cli import app

    app.main()
