"""Feeds distinct hostile texts to Formula under an audit hook; test_hostile.py runs it in its own process.

An audit hook cannot be removed, and it sees every event of the process: hence the separate process. Reading a
formula may cause no event at all, except `compile`, which `ast.parse` raises for building a syntax tree (not
code): its arguments are checked below.
"""

import json
import os
import random
import string
import sys
import warnings
from collections import Counter

import torch
from axonlight.activations import Formula
from axonlight.errors import InputError

CANARY = "axonlight_canary"
SEEDS = [
    "x*cos(x)",
    "2*x**2 + x",
    "mul(cos(X0), X0)",
    "tanh(a*x)/(b + x**2)",
    "max(relu(x), -0.5)*exp(-x)",
    "x**-2 + sqrt(abs(x))",
    "erf(x)*softplus(x) - log(x)",
    "sub(X3, inv(X3))",
]
CALLS = [
    f"__import__('os').environ.__setitem__('{CANARY}','1')",
    f"__import__('os').system('touch {CANARY}')",
    "__import__(os).system(x)",
    f"open('{CANARY}','w')",
    "eval('x')",
    "exec('x')",
    "compile(x, x, x)",
    "getattr(x, x)",
    "globals()",
    "breakpoint()",
    "input()",
    "print(x)",
    "vars(x)",
    "import os",
    "torch.load(x)",
    "os.system(x)",
    "().__class__.__base__.__subclasses__()",
    "x.__class__.__mro__",
    "x.__reduce__()",
    "X0.__globals__",
    "sin.__self__",
    "lambda: x",
    "(lambda x: x)(x)",
    "[x for x in range(9**9)]",
    "{x: x for x in x}",
    "sin(x for x in x)",
    "(x := 1)",
    "x if x else x",
    "x or x",
    "f'{x}'",
    "'x' * 9**9",
    "b'x'",
    "x[::1]",
    "x < x",
    "*x",
    "sin(**x)",
    "sin(x=x)",
    "await x",
    "yield x",
    "async x",
    "...",
    "1j",
    "None",
    "True",
]
POWERS = [
    "9**9**9",
    "9**9**9**9",
    "x**99999",
    "x**1e300",
    "1e308*10",
    "10**400",
    "(9**9)**(9**9)",
    "exp(exp(9))",
]
LOOKALIKES = (
    "\u0445\u0445\u0430\uff53\u1d62\u2179\U0001d431\U0001d634"
    "\xaa\xba\xb2\xbd\xd7\xf7\u2212\u2010\ufb01\uff08\uff09\uff0a\u200b\u202e\u00a0\ufeff\u017fK\xc5"
)
ALPHABET = string.ascii_letters + string.digits + "+-*/().,_ '\"[]{}:=<>!@#$%^&|~`\\;?\n\t\0"


def mutate(text: str, generator: random.Random) -> str:
    characters = list(text)
    for _ in range(generator.randint(1, 4)):
        position = generator.randrange(len(characters) + 1)
        action = generator.randrange(4)
        if action == 0:
            characters.insert(position, generator.choice(ALPHABET))
        elif action == 1 and characters:
            del characters[position % len(characters)]
        elif action == 2:
            characters.insert(position, generator.choice(LOOKALIKES))
        else:
            characters.insert(position, generator.choice([*CALLS, *POWERS, "(", ")", "**", "-", "x", "sin("]))
    return "".join(characters)


def nest(generator: random.Random) -> str:
    depth = generator.choice([3, 20, 63, 64, 65, 100, 199, 200, 201, 400, 900, 10_000])
    opening, closing = generator.choice(
        [
            ("(", ")"),
            ("-", ""),
            ("sin(", ")"),
            ("+", ""),
            ("[", "]"),
            ("x**(", ")"),
            ("1+(", ")"),
            ("not ", ""),
        ]
    )
    return opening * depth + "x" + closing * depth


def random_tree(generator: random.Random, depth: int) -> str:
    if depth == 0 or generator.random() < 0.2:
        return generator.choice(
            ["x", "x", "x", "x", "x", "a", "b2", "0", "1", "0.5", "1e-3", "-2", "X0", "1e7", "pi", "half"]
        )
    kind = generator.choice([0, 0, 1, 2, 3, 4, 4])
    left, right = (random_tree(generator, depth - 1) for _ in range(2))
    if kind == 0:
        return f"({left}){generator.choice(['+', '-', '*', '/', '**', '//', '%'])}({right})"
    name = generator.choice(["sin", "exp", "log", "tan", "inv", "sqrt", "square", "tanh", "eval", "max", "pow", "div"])
    if kind == 3:
        return f"({left}){generator.choice('+-*/')}({right})"
    if kind == 4:
        return f"{generator.choice(['sin', 'exp', 'log', 'tan', 'inv', 'sqrt'])}({left})"
    return f"{name}({left}, {right})" if kind == 1 else f"{name}({left})"


def hostile_text(generator: random.Random) -> str:
    kind = generator.randrange(8)
    seed = generator.choice(SEEDS)
    if kind == 0:
        return generator.choice(CALLS)
    if kind == 1:
        return f"{seed} {generator.choice('+-*/,;.')} {generator.choice([*CALLS, *POWERS])}"
    if kind == 2:
        return seed.replace("x", generator.choice([*CALLS, *POWERS]), 1)
    if kind in (3, 4):
        return mutate(seed, generator)
    if kind == 5:
        return nest(generator) if generator.random() < 0.3 else "x*" + generator.choice(POWERS)
    if kind == 6:
        return random_tree(generator, 4)
    return bytes(generator.randrange(256) for _ in range(generator.randint(0, 40))).decode("latin-1")


def judge(text: str, x: torch.Tensor) -> str:
    try:
        formula = Formula(text, protect="smooth", collapse=True)
    except InputError as error:
        message = str(error)
        return "refused" if message and "\n" not in message and len(message) < 500 else f"bad message: {message!r}"
    with torch.no_grad():
        y = formula(x)
    return "valid" if isinstance(y, torch.Tensor) and y.shape == x.shape and y.dtype == x.dtype else "bad value"


def main(count: int) -> None:
    generator = random.Random(2024)
    texts = dict.fromkeys([*CALLS, *POWERS])
    while len(texts) < count:
        texts[hostile_text(generator)] = None
    x = torch.linspace(-2, 2, 5)
    for seed in SEEDS:  # whatever torch imports on first use, it does here
        judge(seed, x)
    events: Counter[str] = Counter()
    watching = True

    def hook(event: str, arguments: tuple) -> None:
        if not watching:
            return
        if event == "compile":
            # A tree is built from text named <unknown>; a code object would come from a named file or an AST.
            source, name = arguments
            event = "syntax tree" if name in ("<unknown>", b"<unknown>") and source is not None else "compile"
        events[event] += 1

    sys.addaudithook(hook)
    results: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        for text in texts:
            results[judge(text, x)] += 1
    fuzzed = dict(events)
    events.clear()
    eval("open(__file__).close()")  # the control: the hook does see what it must not see above
    control, watching = dict(events), False
    canary = CANARY in os.environ or os.path.exists(CANARY)
    report = {
        "results": results,
        "events": fuzzed,
        "control": control,
        "warnings": len(leaked),
        "canary": canary,
    }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]))
