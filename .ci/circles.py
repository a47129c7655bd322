"""Files of a crate that use each other in a circle: `python3 .ci/circles.py` fails where there is one. A file uses another where it
names something of it by `crate::` or `super::`; the declaration of a module does not count, nor do tests within files. Both
files then use a third one, which holds what they share."""

import os
import re
import sys


def modules(folder):
    """The file of each module, by its path as a tuple; the crate's own is ()."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            if name.endswith(".rs"):
                path = os.path.join(place, name)
                module = os.path.relpath(path, folder)[:-3]
                found[() if module in ("lib", "main") else tuple(module.split("/"))] = path
    return found


def uses(module, text, known):
    """The modules that a module names."""
    text = re.sub(r"//[^\n]*", "", text.split("#[cfg(test)]\nmod tests")[0])
    for path in re.findall(r"\b((?:crate|super)\b(?:::\w+)*)", text):
        parts = path.split("::")
        at = () if parts[0] == "crate" else module
        while parts and parts[0] in ("crate", "super"):
            at = at[:-1] if parts[0] == "super" else at
            parts.pop(0)
        for part in parts:
            if at + (part,) not in known:
                break
            at += (part,)
        if at in known and at not in (module, ()):
            yield at


def circles(graph):
    """The sets of modules that reach each other (Tarjan 1972)."""
    order, low, stack, found = {}, {}, [], []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in graph[node]:
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted("::".join(one) for one in stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return sorted(" ".join(circle) for circle in found)


def main():
    sys.setrecursionlimit(10_000)
    wrong = 0
    for crate in sorted(os.listdir("crates")):
        known = modules(f"crates/{crate}/src")
        graph = {module: set(uses(module, open(path).read(), known)) for module, path in known.items()}
        for circle in circles(graph):
            print(f"{crate}: these files use each other in a circle: {circle}")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
