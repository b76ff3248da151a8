"""autograd.Function inside vmap: derivatives of each sample and of all, and a Function's own rule."""

import pytest

import taeda as torch
from taeda.func import grad, jacfwd, jacrev, jvp, vmap

X = torch.tensor([[1.0, 2.0, 0.5], [3.0, -4.0, 1.5]], dtype=torch.float64)
W = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
# No derivative but the written one has this factor.
ODD = 7


class Product(torch.autograd.Function):
    """x * x * w, in the older form."""

    @staticmethod
    def forward(ctx, x, w, power=2):
        ctx.save_for_backward(x, w)
        ctx.power = power
        return x**power * w

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        assert len(ctx.needs_input_grad) >= 2
        return ODD * g * ctx.power * x ** (ctx.power - 1) * w, ODD * g * x**ctx.power, None


class Separate(torch.autograd.Function):
    @staticmethod
    def forward(x, w, power=2):
        return x**power * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])
        ctx.save_for_forward(*inputs[:2])
        ctx.power = inputs[2]

    backward = Product.backward

    @staticmethod
    def jvp(ctx, x_slope, w_slope, _):
        x, w = ctx.saved_tensors
        return ODD * (ctx.power * x ** (ctx.power - 1) * w * x_slope + x**ctx.power * w_slope)


class Own(Separate):
    """Computed outside of taeda, so that it needs a rule."""

    @staticmethod
    def forward(x, w, power=2):
        return torch.from_numpy(x.detach().numpy() ** power * w.detach().numpy())

    @staticmethod
    def vmap(info, in_dims, x, w, power):
        assert info.batch_size in (2, 3) and info.randomness == "error" and in_dims[2] is None
        x, w = (
            t.unsqueeze(0).expand(info.batch_size, *t.shape) if dim is None else t.movedim(dim, 0)
            for t, dim in ((x, in_dims[0]), (w, in_dims[1]))
        )
        w = w.reshape(*w.shape, *[1] * (x.ndim - w.ndim))
        return Own.apply(x, w, power).movedim(0, -1), -1


def plain(x, w):
    return x * x * w


KINDS = [Product, Separate, Own]


@pytest.mark.parametrize("kind", KINDS)
def test_values(kind):
    f = kind.apply
    torch.testing.assert_close(vmap(f, in_dims=(0, None))(X, W), plain(X, W))
    torch.testing.assert_close(vmap(f, in_dims=(1, 0))(X, W), (plain(X, W)).t())
    torch.testing.assert_close(vmap(vmap(f), in_dims=(0, None))(X, W), plain(X, W))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("argument", [0, 1])
def test_gradients(kind, argument):
    def loss(f):
        return lambda x, w: f(x, w).sum()

    each = torch.stack([ODD * grad(loss(plain), argument)(x, W) for x in X])
    f = loss(kind.apply)
    torch.testing.assert_close(vmap(grad(f, argument), in_dims=(0, None))(X, W), each)
    whole = grad(lambda x, w: vmap(f, in_dims=(0, None))(x, w).sum(), argument)(X, W)
    torch.testing.assert_close(whole, each if argument == 0 else each.sum(0))
    turned = grad(lambda x, w: vmap(f, in_dims=(1, None))(x, w).sum())(X.t().contiguous(), W)
    torch.testing.assert_close(turned, torch.stack([ODD * grad(loss(plain))(x, W) for x in X]).t())


@pytest.mark.parametrize("kind", KINDS)
def test_backward_from_outside(kind):
    x, w = X.clone().requires_grad_(), W.clone().requires_grad_()
    vmap(kind.apply, in_dims=(0, None))(x, w).sum().backward()
    torch.testing.assert_close(x.grad, ODD * 2 * X * W)
    torch.testing.assert_close(w.grad, ODD * (X * X).sum(0))


@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives(kind):
    def twice(f):
        return lambda x: grad(lambda x: (f(x, W) ** 2).sum())(x).sum()

    def by_hand(x):  # of the written gradient of the square's gradient: 2 y * 7 * 2 x w, with y' = 7 * 2 x w
        y, slope = x * x * W, ODD * 2 * x * W
        return 2 * slope * slope + 2 * y * ODD * 2 * W

    torch.testing.assert_close(vmap(grad(twice(kind.apply)))(X), by_hand(X))
    torch.testing.assert_close(grad(lambda x: vmap(twice(kind.apply))(x).sum())(X), by_hand(X))
    inner = grad(lambda x: vmap(lambda x: (kind.apply(x, W) ** 2).sum())(x).sum())
    torch.testing.assert_close(grad(lambda x: inner(x).sum())(X), by_hand(X))


@pytest.mark.parametrize("kind", [Separate, Own])
def test_forward_mode(kind):
    slopes = ODD * 2 * X * W
    along = torch.ones_like(X)
    torch.testing.assert_close(vmap(lambda x: jvp(lambda x: kind.apply(x, W), (x,), (along[0],))[1])(X), slopes)
    f = vmap(kind.apply, in_dims=(0, None))
    torch.testing.assert_close(jvp(lambda x: f(x, W), (X,), (along,))[1], slopes)
    torch.testing.assert_close(vmap(jacfwd(lambda x: kind.apply(x, W)))(X), torch.stack([s.diag() for s in slopes]))
    torch.testing.assert_close(vmap(jacrev(lambda x: kind.apply(x, W)))(X), torch.stack([s.diag() for s in slopes]))


class Several(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        largest, place = x.max(0)
        ctx.mark_non_differentiable(place)
        ctx.set_materialize_grads(False)
        ctx.place, ctx.length = place, x.shape[0]
        return largest, place, x.sum()

    @staticmethod
    def backward(ctx, of_largest, _, of_sum):
        made = torch.zeros(ctx.length, dtype=torch.float64)
        if of_largest is not None:
            made = made + torch.nn.functional.one_hot(ctx.place, ctx.length) * of_largest
        return made if of_sum is None else made + of_sum


def test_several_results_and_gradients_that_are_missing():
    x = X.clone().requires_grad_()
    largest, place, total = vmap(Several.apply)(x)
    assert place.tolist() == [1, 0] and not place.requires_grad and largest.tolist() == [2, 3]
    (first,) = torch.autograd.grad(largest.sum(), x, retain_graph=True)
    assert first.tolist() == [[0, 1, 0], [1, 0, 0]]
    (both,) = torch.autograd.grad(largest.sum() + 2 * total.sum(), x)
    assert both.tolist() == [[2, 3, 2], [3, 2, 2]]


def test_refused():
    class Both(Own):
        generate_vmap_rule = True

    class Neither(Separate):
        @staticmethod
        def forward(x, w, power=2):
            return torch.from_numpy(x.detach().numpy())

    with pytest.raises(RuntimeError, match="both generate_vmap_rule=True and"):
        vmap(Both.apply, in_dims=(0, None))(X, W)
    with pytest.raises((RuntimeError, TypeError)):
        vmap(Neither.apply, in_dims=(0, None))(X, W)
