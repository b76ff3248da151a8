"""Operations that draw random numbers. Each draws from the generator as PyTorch's CPU kernels do: the same seed, the same numbers.

Kernels: csrc/cpu/random.cpp (filling in place), random_sample.cpp (choices, Poisson, gamma ...), random_factories.cpp (new
tensors, dropout). All take ``generator``: the source of the numbers, by default ``taeda.default_generator``.
"""

from __future__ import annotations

from taeda.ops.registry import op

_GENERATOR = """
        generator: where the numbers come from; default: ``taeda.default_generator``."""
_FACTORY = (
    _GENERATOR
    + """
        dtype: the elements' type; default: {dtype}.
        device: ``cpu`` or ``meta``; default: {device}.
        requires_grad: record operations on the result.
    """
)
_NEW = _FACTORY.format(dtype="``taeda.get_default_dtype()``", device="``cpu``")
_LIKE = _FACTORY.format(dtype="``input``'s", device="``input``'s")

# ---- new tensors

for _name, _what in (("rand", "uniform random numbers in [0, 1)"), ("randn", "standard normal random numbers")):
    op(
        f"{_name}(int[] size, *, Generator? generator=None) -> Tensor",
        where="torch",
        factory=True,
        doc=f"""Return a tensor of ``size`` with {_what}.

    Args:
        size: the sizes, as a list or as separate integers.{_NEW}""",
    )
    op(
        f"{_name}_like(Tensor input, *, Generator? generator=None, MemoryFormat? memory_format=None) -> Tensor",
        where="torch",
        factory=True,
        out=False,
        doc=f"""Return a tensor of ``input``'s shape with {_what}.

    Args:
        input: gives shape, and by default the rest.
        memory_format: by default the strides follow ``input``'s where it is dense.{_LIKE}""",
    )

_RANDINT_DOC = f"""Return a tensor of ``size`` with integers drawn uniformly from ``low`` (included) to ``high`` (excluded).

    Args:
        low: the smallest integer; default 0.
        high: one more than the largest integer.
        size: the sizes.{_FACTORY.format(dtype="int64", device="``cpu``")}
    Raises:
        RuntimeError: ``low`` is not less than ``high``, or the type does not hold them.
    """
op(
    "randint(int low, int high, int[] size, *, Generator? generator=None) -> Tensor",
    overload="low",
    where="torch",
    factory=True,
    doc=_RANDINT_DOC,
)
op(
    "randint(int high, int[] size, *, Generator? generator=None) -> Tensor",
    where="torch",
    factory=True,
    doc=_RANDINT_DOC,
)
_RANDINT_LIKE_DOC = f"""Return a tensor of ``input``'s shape with integers drawn from ``low`` (included) to ``high`` (excluded).

    Args:
        input: gives shape, and by default the rest.
        low: the smallest integer; default 0.
        high: one more than the largest integer.
        memory_format: by default the strides follow ``input``'s where it is dense.{_LIKE}"""
op(
    "randint_like(Tensor input, int low, int high, *, Generator? generator=None, MemoryFormat? memory_format=None) -> Tensor",
    overload="low",
    where="torch",
    factory=True,
    out=False,
    doc=_RANDINT_LIKE_DOC,
)
op(
    "randint_like(Tensor input, int high, *, Generator? generator=None, MemoryFormat? memory_format=None) -> Tensor",
    where="torch",
    factory=True,
    out=False,
    doc=_RANDINT_LIKE_DOC,
)
op(
    "randperm(int n, *, Generator? generator=None) -> Tensor",
    where="torch",
    factory=True,
    doc=f"""Return the integers from 0 to ``n - 1`` in random order.

    Args:
        n: how many.{_FACTORY.format(dtype="int64", device="``cpu``")}""",
)
_NORMAL_DOC = f"""Return normal random numbers with the given means and standard deviations.

    Args:
        mean: a number, or a tensor with one mean for each element.
        std: likewise the standard deviations; default 1.
        size: the sizes, where both are numbers.{_NEW}
    Shape: ``mean`` and ``std`` are broadcast against each other.
    """
op(
    "normal(Tensor mean, Tensor std, *, Generator? generator=None) -> Tensor",
    vjp={"mean": "zeros_like(mean)", "std": "zeros_like(std)"},
    where="torch",
    doc=_NORMAL_DOC,
)
op(
    "normal(Tensor mean, float std=1, *, Generator? generator=None) -> Tensor",
    overload="mean",
    vjp={"mean": "zeros_like(g)"},
    where="torch",
    doc=_NORMAL_DOC,
)
op(
    "normal(float mean, Tensor std, *, Generator? generator=None) -> Tensor",
    overload="std",
    vjp={"std": "zeros_like(g)"},
    where="torch",
    doc=_NORMAL_DOC,
)
op(
    "normal(float mean, float std, int[] size, *, Generator? generator=None) -> Tensor",
    overload="size",
    where="torch",
    factory=True,
    doc=_NORMAL_DOC,
)

# ---- filling a tensor

for _schema, _overload, _text in (
    (
        "uniform_(Tensor input, float from=0, float to=1",
        "",
        """Fill the tensor with uniform random numbers in [``from``, ``to``).

    Args:
        from: the lower end; default 0.
        to: the upper end; default 1.""",
    ),
    (
        "normal_(Tensor input, float mean=0, float std=1",
        "",
        """Fill the tensor with normal random numbers.

    Args:
        mean: their mean; default 0.
        std: their standard deviation; default 1.""",
    ),
    (
        "random_(Tensor input, int from, int? to",
        "from",
        """Fill the tensor with integers drawn uniformly from ``from`` (included) to ``to`` (excluded).

    Args:
        from: the smallest integer; default 0.
        to: one more than the largest; default: the end of what the type holds exactly.""",
    ),
    ("random_(Tensor input, int to", "to", ""),
    ("random_(Tensor input", "", ""),
    (
        "bernoulli_(Tensor input, Tensor p",
        "tensor",
        """Fill the tensor with 1 at probability ``p``, else 0.

    Args:
        p: a number, or a tensor with one probability for each element; default 0.5.""",
    ),
    ("bernoulli_(Tensor input, float p=0.5", "", ""),
    (
        "exponential_(Tensor input, float lambd=1",
        "",
        """Fill the tensor with exponentially distributed random numbers.

    Args:
        lambd: the rate: the mean is ``1 / lambd``; default 1.""",
    ),
    (
        "cauchy_(Tensor input, float median=0, float sigma=1",
        "",
        """Fill the tensor with random numbers of the Cauchy distribution.

    Args:
        median: its median; default 0.
        sigma: half the distance between its quartiles; default 1.""",
    ),
    (
        "log_normal_(Tensor input, float mean=1, float std=2",
        "",
        """Fill the tensor with numbers whose logarithms are normally distributed.

    Args:
        mean: the mean of the logarithms; default 1.
        std: their standard deviation; default 2.""",
    ),
    (
        "geometric_(Tensor input, float p",
        "",
        """Fill the tensor with the number of trials up to the first success.

    Args:
        p: the probability of success in each trial, in (0, 1).""",
    ),
):
    op(
        f"{_schema}, *, Generator? generator=None) -> Tensor",
        overload=_overload,
        vjp={"input": "None"},
        where="Tensor",
        doc=f"{_text}{_GENERATOR}\n    " if _text else "",
    )

# ---- drawing by parameters

op(
    "bernoulli(Tensor input, *, Generator? generator=None) -> Tensor",
    vjp={"input": "zeros_like(g)"},
    doc=f"""Return 1 at the probabilities that ``input`` gives, else 0.

    Args:
        input: floating probabilities in [0, 1].{_GENERATOR}
    """,
)
op(
    "bernoulli(Tensor input, float p, *, Generator? generator=None) -> Tensor",
    overload="p",
    vjp={"input": "zeros_like(g)"},
    out=False,
    doc=f"""Return a tensor of ``input``'s shape with 1 at probability ``p``, else 0.

    Args:
        input: gives shape and type.
        p: the probability.{_GENERATOR}
    """,
)
op(
    "multinomial(Tensor input, int num_samples, bool replacement=False, *, Generator? generator=None) -> Tensor",
    doc=f"""Return ``num_samples`` numbers of categories for each row of weights.

    Args:
        input: weights that are not negative, one or two dimensions; they need not add up to 1.
        num_samples: how many to draw.
        replacement: whether a category may come again; default False.{_GENERATOR}
    Raises:
        RuntimeError: a row without positive weights, or more samples than categories without replacement.
    """,
)
op(
    "poisson(Tensor input, Generator? generator=None) -> Tensor",
    vjp={"input": "zeros_like(g)"},
    where="torch",
    out=False,
    doc=f"""Return numbers of the Poisson distribution with the rates that ``input`` gives.

    Args:
        input: rates that are not negative.{_GENERATOR}
    """,
)
op(
    "binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor",
    vjp={"count": "zeros_like(count)", "prob": "zeros_like(prob)"},
    where="torch",
    out=False,
    doc=f"""Return how many of ``count`` trials succeed at probability ``prob``.

    Args:
        count: floating numbers of trials.
        prob: probabilities of the same type.{_GENERATOR}
    Shape: both are broadcast against each other.
    """,
)
op(
    "_standard_gamma(Tensor input, Generator? generator=None) -> Tensor",
    vjp={"input": "g * _standard_gamma_grad(input, result)"},
    where="torch",
    out=False,
    doc=f"""Return numbers of the gamma distribution of scale 1 with the shapes that ``input`` gives.

    Args:
        input: float32 or float64 shapes.{_GENERATOR}
    """,
)
op(
    "_standard_gamma_grad(Tensor input, Tensor output) -> Tensor",
    vjp={"input, output": "(_no_second_derivative(g, 'numbers of the gamma distribution'), None)"},
    where="torch",
    out=False,
    doc="""Return how the numbers ``output``, drawn for the shapes ``input``, move with these: dx/da at a fixed probability.

    Args:
        input: the shapes.
        output: what was drawn for them.
    """,
)
op(
    "_sample_dirichlet(Tensor input, Generator? generator=None) -> Tensor",
    where="torch",
    out=False,
    doc=f"""Return points of the Dirichlet distribution with the concentrations in ``input``'s last dimension.

    Args:
        input: float32 or float64 concentrations.{_GENERATOR}
    """,
)

# ---- dropout

op(
    "_dropout(Tensor input, float p) -> (Tensor output, Tensor mask)",
    vjp={"input": "native_dropout_backward(g_output, mask, 0.0 if p == 1 else 1.0 / (1.0 - p))"},
    where="_C",
    out=False,
    differentiable=("output",),
    doc="Return ``input`` with elements set to 0 at probability ``p`` and the others scaled by ``1 / (1 - p)``, and what was kept.",
)
op(
    "native_dropout_backward(Tensor grad_output, Tensor mask, float scale) -> Tensor",
    vjp={"grad_output": "native_dropout_backward(g, mask, scale)"},
    where="torch",
    out=False,
    doc="""Return ``grad_output * scale`` where ``mask`` holds, else 0.

    Args:
        grad_output: the gradient of dropout's result.
        mask: bool, what was kept.
        scale: ``1 / (1 - p)``.
    """,
)
