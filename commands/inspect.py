"""``axonlight inspect``: look at one part without training."""

import argparse
from pathlib import Path

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the things that can be looked at."""
    things = parser.add_subparsers(title="things", dest="thing", required=True)
    activation = things.add_parser(
        "activation",
        help="draw an activation and its derivative",
        description="Draw an activation and its derivative to a PNG file.",
    )
    activation.add_argument("spec", help='what to draw, e.g. relu, "ash(z=0.5)", "formula(x*cos(x))"')
    activation.add_argument("--output", type=Path, help="file to write (default: named after the spec, here)")
    activation.add_argument("--low", type=float, default=-5.0, help="left end of the x axis (default: -5)")
    activation.add_argument("--high", type=float, default=5.0, help="right end of the x axis (default: 5)")
    _add_hierarchy(things)
    _add_nulls(things)


def _add_hierarchy(things: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    hierarchy = things.add_parser(
        "hierarchy",
        help="compile a hierarchy from files, print and draw it",
        description="Compile a hierarchy from files, print its layers, and draw it to a PNG file.",
    )
    _add_compilation(hierarchy)
    hierarchy.add_argument("--save", type=Path, metavar="FILE", help="write the hierarchy to this .npz or .json file")
    hierarchy.add_argument("--output", type=Path, default=Path("hierarchy.png"), help="image (default: hierarchy.png)")


def _add_nulls(things: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    nulls = things.add_parser(
        "nulls",
        help="draw null models of a hierarchy, print and draw what they leave of it",
        description="Compile a hierarchy from files, draw null models of it, and show what is left: live nodes and "
        "edges, paths, depth, and the edges shared with the real hierarchy.",
    )
    nulls.add_argument(
        "--null", nargs="+", required=True, metavar="NAME", help='null models: ErdosRenyi, "Rewire(fraction=0.5)", ...'
    )
    nulls.add_argument("--draws", type=int, default=20, metavar="N", help="draws per null model (default: 20)")
    nulls.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all draws (default: 0)")
    _add_compilation(nulls)
    nulls.add_argument("--csv", type=Path, metavar="FILE", help="write one row per null model and draw to this file")
    nulls.add_argument("--output", type=Path, default=Path("nulls.png"), help="image (default: nulls.png)")


def _add_compilation(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument_group("files", "one of gmt, signatures, mapping, obo, edges, terms, table, load")
    for name, text in [
        ("gmt", "gene sets, with --relations or alone"),
        ("signatures", "table with a gene set per column"),
        ("mapping", "table of features and pathways, with --relations"),
        ("relations", "table of parent and child pathways"),
        ("names", "table of pathways and their names"),
        ("obo", "ontology in OBO format, with --annotations"),
        ("annotations", "table of genes and terms"),
        ("edges", "edge list: parent, child"),
        ("terms", "term table: parent, child, default or gene"),
        ("table", "table of paths: layer0_name, layer1_name, ..."),
        ("load", "a hierarchy saved before (.npz or .json)"),
        ("features", "features wanted: one per line, or the first column of a table"),
    ]:
        files.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)
    choices = parser.add_argument_group("choices", "see axonlight.structures.Policies")
    choices.add_argument("--species", help="name or code of Reactome's species, or any (default: Homo sapiens)")
    choices.add_argument(
        "--levels", type=_levels, metavar="N|all", help="layers of pathways (default: Reactome 4, else all)"
    )
    choices.add_argument("--level_rule", choices=("lock_step", "shortest", "longest"), help="default: lock_step")
    choices.add_argument("--fill", choices=("copy", "skip"), help="default: copy")
    choices.add_argument("--attach", choices=("descendants", "own", "every"), help="default: descendants")
    choices.add_argument("--unannotated", choices=("drop", "residual"), help="default: drop")
    choices.add_argument("--min_size", type=int, metavar="N", help="fewest features of a node")
    choices.add_argument("--max_size", type=int, metavar="N", help="most features of a node")
    choices.add_argument("--redundancy", type=float, metavar="J", help="Jaccard similarity from which a node goes")
    choices.add_argument("--collapse_chains", action="store_true", help="merge only children into their parents")


def _levels(text: str) -> int | str:
    if text != "all" and not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a positive integer nor all")
    return text if text == "all" else int(text)


def run(arguments: argparse.Namespace) -> int:
    """Draw what was asked for and say where it is."""
    if arguments.thing == "hierarchy":
        from .inspect_hierarchy import show_hierarchy

        print(show_hierarchy(arguments))
        return 0
    if arguments.thing == "nulls":
        from .inspect_nulls import show_nulls

        print(show_nulls(arguments))
        return 0
    from .inspect_activation import draw_activation

    path = draw_activation(arguments.spec, arguments.output, arguments.low, arguments.high)
    print(path)
    return 0
