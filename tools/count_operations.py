"""Counts which operations Python programs call: ``python tools/count_operations.py FOLDER... [--top N]``.

Each folder is one project. An operation's *share* is its part of the calls that are counted in a project, averaged over the projects, so
that a large one has no more say than a small one. The table has the share in percent, the calls written as functions or methods, the
layers constructed (``nn.Conv2d`` counts for ``conv2d``), and the number of projects. Nothing is run: this is about what is written.

Counted are, in files that import ``torch`` and that are not tests:

- functions of ``torch`` and its ``nn.functional``, ``linalg``, ``fft`` and ``special``, under whatever name they were imported;
- classes of ``torch.nn`` that are called, for the operation that their ``forward`` is;
- methods named like an operation: of everything but what was *evidently* made by another library (``np.zeros(3)``, or a name that was
  assigned from such a call in the same function). Names that other common objects have as well (``split``, ``sort``, ``values`` ...) count only
  where the receiver is evidently a tensor, or where a keyword says so (``dim=``).

Evidently a tensor is what an operation returned, what is annotated ``Tensor``, what was assigned from either, and results of arithmetic,
methods and indexing of those. Operators and indexing count only for them.

Limits: no types are inferred across functions, so that operators, indexing and ambiguous methods of unannotated arguments are not seen,
and a method of a distribution or of a user's class that is named like an operation is counted. Forms in place count for the operation
(``add_`` for ``add``), ``x.float()`` and its like for ``to``.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

MODULES = ("linalg", "fft", "special")  # their operations keep the module's name: linalg.norm is not norm
CREATION = {"tensor", "as_tensor", "from_numpy"}
CONVERSIONS = {"to", "type_as", "float", "double", "half", "bfloat16", "long", "int", "short", "bool"}
# Methods of built-in types, paths, loggers, patterns, distributions and modules too.
AMBIGUOUS = {
    "add",
    "sort",
    "split",
    "values",
    "index",
    "count",
    "copy",
    "sub",
    "absolute",
    "log",
    "max",
    "min",
    "expand",
    "apply",
    "to",
    "type",
}
TENSOR_KEYWORDS = {"dim", "keepdim"}
OPERATORS = {
    **{
        ast.Add: "add",
        ast.Sub: "sub",
        ast.Mult: "mul",
        ast.Div: "div",
        ast.FloorDiv: "floor_divide",
        ast.Mod: "remainder",
    },
    **{
        ast.Pow: "pow",
        ast.MatMult: "matmul",
        ast.BitAnd: "bitwise_and",
        ast.BitOr: "bitwise_or",
        ast.BitXor: "bitwise_xor",
    },
    **{ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"},
    **{ast.USub: "neg", ast.Invert: "bitwise_not"},
}
LAYERS = {
    **{
        "CrossEntropyLoss": "cross_entropy",
        "BCELoss": "binary_cross_entropy",
        "NLLLoss": "nll_loss",
        "KLDivLoss": "kl_div",
    },
    **{"BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "MSELoss": "mse_loss", "SyncBatchNorm": "batch_norm"},
    **{
        "PReLU": "prelu",
        "ReLU": "relu",
        "ReLU6": "relu6",
        "LeakyReLU": "leaky_relu",
        "RReLU": "rrelu",
        "SELU": "selu",
        "CELU": "celu",
    },
    **{"GELU": "gelu", "SiLU": "silu", "ELU": "elu", "GLU": "glu", "LogSigmoid": "logsigmoid", "RMSNorm": "rms_norm"},
    **{"Upsample": "interpolate", "UpsamplingNearest2d": "interpolate", "UpsamplingBilinear2d": "interpolate"},
    **{"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh", "MultiheadAttention": "multi_head_attention_forward"},
}
TESTS = re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")


class Names:
    """What counts as an operation: taeda's own names, by public home."""

    def __init__(self) -> None:
        import taeda.nn.functional as functional
        from taeda._ops import namespace

        own = {name for name, value in vars(functional).items() if callable(value) and name[0].islower()}
        self.functions = set(namespace("torch")) | own | CREATION
        self.modules = {home: set(namespace(home)) for home in MODULES}
        self.methods = set(namespace("Tensor"))

    def function(self, dotted: str) -> str | None:
        """The operation that a dotted name such as ``torch.nn.functional.relu_`` is, if it is one."""
        _, _, rest = dotted.partition("torch.")
        home, _, name = rest.removeprefix("nn.functional.").rpartition(".")
        if home in self.modules:
            return f"{home}.{name}" if name in self.modules[home] else None
        return self._plain(name, self.functions) if not home else None

    def method(self, name: str) -> str | None:
        return "to" if name in CONVERSIONS else self._plain(name, self.methods)

    def layer(self, dotted: str) -> str | None:
        """The operation of a layer such as ``torch.nn.BatchNorm2d``, if it is one."""
        name = dotted.removeprefix("torch.nn.").removeprefix("modules.")
        if not dotted.startswith("torch.nn.") or not re.fullmatch("[A-Z][A-Za-z0-9]*", name):
            return None
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().removesuffix("_loss")
        plain = re.sub(r"^(batch|instance)_norm[123]d$", r"\1_norm", plain)
        plain = "pad" if re.fullmatch(r"[a-z]+_pad[123]d", plain) else plain
        found = (LAYERS.get(name, plain), f"{plain}_loss")
        return next((each for each in found if each in self.functions or each in LAYERS.values()), None)

    @staticmethod
    def _plain(name: str, known: set[str]) -> str | None:
        base = name.removesuffix("_")
        if name.startswith("_"):
            return None
        return base if base in known else name if name in known else None


class Program(ast.NodeVisitor):
    """Counts one file: ``called`` by functions, methods and operators, ``layers`` by constructors."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.called: Counter[str] = Counter()
        self.layers: Counter[str] = Counter()
        self.imported: dict[str, str] = {}
        # What a name stands for in the function being read: True a tensor, False something of another library.
        self.scopes: list[dict[str, bool | None]] = [{}]

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imported[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.imported[alias.asname or alias.name] = f"{'.' * node.level}{node.module or ''}.{alias.name}"

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        scope: dict[str, bool | None] = {each.arg: self.annotated(each.annotation) for each in arguments}
        self.scopes.append(scope)
        self.generic_visit(node)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        for target in node.targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name):
                    self.scopes[-1][name.id] = self.is_tensor(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self.generic_visit(node)
        dotted = self.dotted(node.func)
        if dotted is not None:
            if dotted.startswith("torch."):
                self.called.update(filter(None, [self.names.function(dotted)]))
                self.layers.update(filter(None, [self.names.layer(dotted)]))
        elif isinstance(node.func, ast.Attribute):
            self.called.update(filter(None, [self.method(node, node.func)]))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        self.operator(node.op, node.left, node.right)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.generic_visit(node)
        self.operator(node.op, node.target, node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.generic_visit(node)
        self.operator(node.ops[0], node.left, node.comparators[0])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self.generic_visit(node)
        self.operator(node.op, node.operand)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.generic_visit(node)
        if self.is_tensor(node.value):
            self.called["indexing" if isinstance(node.ctx, ast.Load) else "assignment by index"] += 1

    def operator(self, operator: ast.AST, *operands: ast.expr) -> None:
        if type(operator) in OPERATORS and any(self.is_tensor(operand) for operand in operands):
            self.called[OPERATORS[type(operator)]] += 1

    def method(self, call: ast.Call, function: ast.Attribute) -> str | None:
        """The operation that a call of a method is, if the receiver may be a tensor."""
        evidence = self.is_tensor(function.value)
        if evidence is None and function.attr in AMBIGUOUS:
            evidence = any(keyword.arg in TENSOR_KEYWORDS for keyword in call.keywords)
        return None if evidence is False else self.names.method(function.attr)

    def is_tensor(self, node: ast.expr) -> bool | None:
        """True where it evidently is one, False where another library made it, None where nothing tells."""
        if isinstance(node, ast.Name):
            if node.id in self.imported:
                return False
            return next((scope[node.id] for scope in reversed(self.scopes) if node.id in scope), None)
        if isinstance(node, ast.Call):
            dotted = self.dotted(node.func)
            if dotted is not None:
                return self.names.function(dotted) is not None if dotted.startswith("torch.") else False
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("numpy", "tolist", "item", "size", "dim"):
                return False
            return self.is_tensor(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if isinstance(node, ast.BinOp):
            sides = {self.is_tensor(node.left), self.is_tensor(node.right)}
            return True if True in sides else None
        if isinstance(node, ast.Subscript):
            return self.is_tensor(node.value)
        if isinstance(node, ast.Attribute):
            return self.is_tensor(node.value) if node.attr in ("T", "mT", "data", "grad", "real", "imag") else None
        return False if isinstance(node, ast.Constant | ast.JoinedStr | ast.List | ast.Dict | ast.Tuple) else None

    def annotated(self, annotation: ast.expr | None) -> bool | None:
        text = ast.unparse(annotation) if annotation is not None else ""
        return True if re.fullmatch(r"'?(Optional\[)?(\w+\.)?(Float|Long)?Tensor\]?'?( \| None)?'?", text) else None

    def dotted(self, node: ast.expr) -> str | None:
        """``torch.nn.functional.relu`` for ``F.relu``; None for what does not begin with an imported name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.imported:
            return None
        return ".".join([self.imported[node.id], *reversed(parts)])


def count_text(text: str, names: Names) -> Program | None:
    """Count one file; None where it does not import torch, or is no Python of today."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    program = Program(names)
    # Imports first: they may stand below the function that uses them.
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            program.visit(node)
    if not any(name.partition(".")[0] == "torch" for name in program.imported.values()):
        return None
    program.visit(tree)
    return program


def count_folder(folder: Path, names: Names) -> tuple[Counter[str], Counter[str]]:
    """The calls and the layers of all programs in a folder."""
    called: Counter[str] = Counter()
    layers: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.py")):
        if TESTS.search(path.relative_to(folder).as_posix()) or not path.is_file():
            continue
        program = count_text(path.read_text(encoding="utf-8", errors="replace"), names)
        if program is not None:
            called += program.called
            layers += program.layers
    return called, layers


def table(projects: Iterable[tuple[Counter[str], Counter[str]]], top: int) -> Iterator[str]:
    """Lines: rank, operation, share in percent, calls, layers, projects."""
    counts = [each for each in projects if each[0] or each[1]]
    share: Counter[str] = Counter()
    for called, layers in counts:
        both = called + layers
        for name, times in both.items():
            share[name] += times / both.total() / len(counts)  # type: ignore[assignment]
    yield f"{'':4} {'operation':36} {'share':>7} {'calls':>7} {'layers':>7} {'projects':>8}"
    for rank, (name, part) in enumerate(share.most_common(top), 1):
        calls = (sum(each[column][name] for each in counts) for column in (0, 1))
        used = sum(name in called or name in layers for called, layers in counts)
        yield f"{rank:4} {name:36} {100 * part:6.2f}% {' '.join(f'{each:7}' for each in calls)} {used:8}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of one project each")
    parser.add_argument("--top", type=int, default=60, help="how many operations (default: %(default)s)")
    arguments = parser.parse_args()
    names = Names()
    for line in table((count_folder(folder, names) for folder in arguments.folders), arguments.top):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
