"""`xscheme models`: list the published weights and their details."""

from argparse import Namespace


def add_arguments(commands) -> None:
    """Add the subcommand to the parser."""
    parser = commands.add_parser(
        "models",
        help="list the published weights",
        description="List the published weights with their sources, size, scores and licence, and "
        "whether they are in the cache. Nothing is downloaded.",
    )
    parser.add_argument(
        "name", nargs="*", help="show all details of these weights (default: a table of all)"
    )
    parser.add_argument("--json", action="store_true", help="print all details as JSON")
    parser.set_defaults(run=models)


def models(arguments: Namespace) -> int:
    """Run the command and print the list."""
    from .listing import list_models

    print(list_models(arguments.name, as_json=arguments.json))
    return 0
