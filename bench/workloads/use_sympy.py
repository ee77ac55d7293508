"""Sympy: simplifying, integrating, solving, series, matrices, functions made of expressions."""
import sympy


def work():
    x, y, n = sympy.symbols("x y n")
    kept["simple"] = sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2 + (x ** 2 - 1) / (x - 1))
    kept["integrals"] = [sympy.integrate(e, x) for e in (x * sympy.exp(x), sympy.sin(x) * sympy.cos(x), 1 / (x ** 2 + 1), sympy.log(x))]
    kept["area"] = sympy.integrate(sympy.exp(-x ** 2), (x, -sympy.oo, sympy.oo))
    kept["roots"] = sympy.solve(x ** 3 - 2 * x + y, x)
    kept["series"] = sympy.series(sympy.tan(x), x, 0, 8)
    kept["sum"] = sympy.summation(1 / n ** 2, (n, 1, sympy.oo))
    matrix = sympy.Matrix(3, 3, lambda i, j: x ** i + j)
    kept["matrix"] = matrix.det(), matrix.eigenvals()
    kept["function"] = sympy.lambdify((x, y), x ** 2 + sympy.sin(y), "math")
    assert kept["function"](3, 0) == 9
    kept["ode"] = sympy.dsolve(sympy.Function("f")(x).diff(x) - x, sympy.Function("f")(x))
    kept["text"] = sympy.latex(kept["series"]), sympy.pretty(kept["simple"]), str(sympy.sympify("a*b + sin(c)"))
    kept["factors"] = sympy.factor(x ** 6 - 1), sympy.factorint(2 ** 67 - 1)


kept = {}
