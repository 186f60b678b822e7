"""How many distinct functions are there? Every formula of {x, add, sub, mul, sin, cos, abs}, at 60 digits.

Independent of the engine: no part is replaced by an equal one, nothing is rounded to double precision, and formulas
are told apart by their values to 30 digits behind the point, at more and more points. Up to 9 nodes that is 141,973
formulas, with a + b and b + a counted once.

    python benchmarks/enumeration_count.py --nodes 7            # seconds
    python benchmarks/enumeration_count.py --nodes 9 --reach 3  # minutes: on [-3, 3], where two prototypes counted
"""

import argparse

import mpmath
from axonlight.discovery import enumerate_formulas

UNARY = {"sin": mpmath.sin, "cos": mpmath.cos, "abs": abs}
Formula = tuple[str, int, int]  # function, and the places of its parts


def every_formula(max_nodes: int) -> tuple[list[Formula], list[int]]:
    """Return all formulas, parts before what is built of them, and how many there are up to each size."""
    formulas: list[Formula] = [("x", 0, 0)]
    levels = {1: range(1)}
    for size in range(2, max_nodes + 1):
        start = len(formulas)
        formulas += [(name, part, 0) for name in UNARY for part in levels[size - 1]]
        for left in range(1, size - 1):
            for a in levels[left]:
                for b in levels[size - 1 - left]:
                    formulas.append(("sub", a, b))
                    if a <= b:
                        formulas += [("add", a, b), ("mul", a, b)]
        levels[size] = range(start, len(formulas))
    return formulas, [level.stop for level in levels.values()]


def evaluate(formulas: list[Formula], x: mpmath.mpf) -> list[mpmath.mpf]:
    values: list[mpmath.mpf] = []
    for name, a, b in formulas:
        if name == "x":
            values.append(x)
        elif name in UNARY:
            values.append(UNARY[name](values[a]))
        elif name == "mul":
            values.append(values[a] * values[b])
        else:
            values.append(values[a] + values[b] if name == "add" else values[a] - values[b])
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=7)
    parser.add_argument("--points", type=int, default=64)
    parser.add_argument("--reach", type=float, default=12.0, help="points lie in [-reach, reach]")
    arguments = parser.parse_args()

    formulas, stops = every_formula(arguments.nodes)
    print(f"{len(formulas):,} formulas; distinct values at the first points, up to 1, 2, ... nodes:")
    classes = [0] * len(formulas)
    mpmath.mp.dps = 60
    golden = (mpmath.sqrt(5) - 1) / 2
    for point in range(1, arguments.points + 1):
        x = arguments.reach * (2 * mpmath.frac(point * golden) - 1)
        known: dict[tuple[int, int], int] = {}
        for place, value in enumerate(evaluate(formulas, x)):
            key = (classes[place], int(mpmath.nint(value * mpmath.mpf(10) ** 30)))
            classes[place] = known.setdefault(key, len(known))
        if point & (point - 1) == 0 or point == arguments.points:
            print(f"{point:4} points: {[len(set(classes[:stop])) for stop in stops]}", flush=True)
    engine = [len(enumerate_formulas(size)) for size in range(1, arguments.nodes + 1)]
    print(f"     the engine: {engine}")


if __name__ == "__main__":
    main()
