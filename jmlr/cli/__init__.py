"""The words of the command line."""


def main() -> None:
    """Run the command line; its words are imported only now, so that stages do not depend on them."""
    from jmlr.cli import app

    app.main()
