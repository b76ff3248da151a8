"""Initialization (with PyTorch's numbers from the same seed), clipping, parametrizations, functional calls."""

import math

import numpy as np
import pytest

import taeda
from taeda import nn
from taeda.nn import init
from taeda.nn.utils import parametrizations, parametrize


def first(tensor, n=4):
    return tensor.detach().flatten()[:n].tolist()


# The first four numbers of each parameter that PyTorch 2.13 draws after manual_seed(0).
SEEDED = [
    (
        lambda: nn.Linear(3, 4),
        [[-0.0043225, 0.3097158, -0.4751853, -0.4248946], [-0.5515707, -0.3823687, -0.2379971, 0.0213871]],
    ),
    (lambda: nn.Conv2d(2, 3, 3), [[-0.0017647, 0.126441, -0.1939936, -0.1734625], [0.1580351, -0.138782, 0.0439217]]),
    (
        lambda: nn.LSTM(2, 3),
        [
            [-0.0043225, 0.3097158, -0.4751853, -0.4248946],
            [-0.0930593, 0.0610918, 0.5227769, -0.5355907],
            [0.2612354, 0.2321874, -0.3419949, 0.1744216],
            [0.2269044, 0.4783632, 0.5024144, 0.5094289],
        ],
    ),
    (lambda: nn.Embedding(5, 3), [[1.5409961, -0.2934289, -2.1787894, 0.5684313]]),
    (lambda: nn.Bilinear(2, 3, 2), [[-0.005294, 0.3793229, -0.5819808, -0.5203875], [-0.6755334, -0.4683042]]),
    (
        lambda: nn.MultiheadAttention(4, 2),
        [
            [0.2224242, 0.5085067, -0.1260264, 0.4582455],
            [0.0] * 4,
            [-0.0037434, 0.2682218, -0.4115226, -0.3679695],
            [0.0] * 4,
        ],
    ),
    (
        lambda: nn.ConvTranspose1d(2, 3, 2),
        [[-0.0030565, 0.2190022, -0.3360068, -0.3004459], [-0.3900194, -0.2703755, -0.1682894]],
    ),
]


@pytest.mark.parametrize(("make", "expected"), SEEDED)
def test_layers_draw_pytorchs_numbers(make, expected):
    taeda.manual_seed(0)
    for parameter, values in zip(make().parameters(), expected, strict=True):
        np.testing.assert_allclose(first(parameter), values, atol=2e-7)


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (lambda t: init.trunc_normal_(t, std=0.5), [-0.5629199, -0.5761801, -0.1252893, -0.2169394, 0.2994197]),
        (lambda t: init.trunc_normal_(t, a=1.5), [1.5170114, 1.6218292, 1.5442387, 1.5660152, 1.6537114]),
        (init.kaiming_normal_, [-0.7120436, -0.7288166, -0.1584798, -0.2744091, 0.3787393]),
        (init.xavier_uniform_, [-0.006113, 0.4380044, -0.6720136, -0.6008917, -0.3144772]),
        (init.xavier_normal_, [-0.530726, -0.5432278, -0.1181239, -0.2045324, 0.2822956]),
        (lambda t: init.sparse_(t, 0.5), [-0.0112584, 0.0, 0.0, -0.0043388, 0.0]),
    ],
)
def test_functions_draw_pytorchs_numbers(fill, expected):
    taeda.manual_seed(0)
    np.testing.assert_allclose(first(fill(taeda.empty(4, 5)), 5), expected, atol=1e-6)


def test_random_functions_draw_pytorchs_numbers():
    taeda.manual_seed(0)
    assert nn.functional.dropout2d(taeda.ones(1, 8, 1, 2))[0, :, 0, 0].tolist() == [0, 0, 2, 0, 0, 0, 2, 2]
    taeda.manual_seed(0)
    slopes = nn.functional.rrelu(-taeda.ones(5), training=True).tolist()
    np.testing.assert_allclose(slopes, [-0.32709438, -0.27246249, -0.22070478, -0.31682244, -0.25938004], atol=1e-6)
    taeda.manual_seed(0)
    soft = nn.functional.gumbel_softmax(taeda.zeros(4)).tolist()
    np.testing.assert_allclose(soft, [0.09141199, 0.26065272, 0.52143109, 0.12650418], atol=1e-6)


def test_distributions_and_structures():
    taeda.manual_seed(1)
    big = taeda.empty(300, 200)
    assert abs(init.kaiming_uniform_(big, nonlinearity="relu").std().item() - math.sqrt(2 / 200)) < 2e-3
    assert abs(init.xavier_normal_(big, gain=2.0).std().item() - 2 * math.sqrt(2 / 500)) < 2e-3
    assert init.trunc_normal_(big, a=-1.0, b=0.5).max().item() <= 0.5
    q = init.orthogonal_(taeda.empty(4, 6), gain=2.0)
    np.testing.assert_allclose((q @ q.t()).tolist(), 4 * np.eye(4), atol=1e-5)
    assert init.eye_(taeda.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = taeda.rand(1, 2, 5)
    same = nn.functional.conv1d(x, init.dirac_(taeda.empty(2, 2, 3)), padding=1)
    np.testing.assert_allclose(same.tolist(), x.tolist(), atol=1e-6)
    assert init.calculate_gain("leaky_relu", 0.5) == math.sqrt(2 / 1.25)
    with pytest.raises(ValueError, match="Unsupported nonlinearity"):
        init.calculate_gain("step")
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.xavier_uniform_(taeda.empty(3))


# ---- clipping


def with_grads(*grads):
    parameters = [nn.Parameter(taeda.zeros(len(grad))) for grad in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = taeda.tensor(grad)
    return parameters


def test_clipping_by_norm_scales_all_gradients_together():
    parameters = with_grads([3.0, 0.0], [4.0]) + [nn.Parameter(taeda.zeros(1))]
    assert nn.utils.clip_grad_norm_(parameters, 1.0).item() == pytest.approx(5.0)
    np.testing.assert_allclose(parameters[0].grad.tolist(), [0.6, 0.0], rtol=1e-5)
    assert nn.utils.clip_grad_norm_(parameters, 10.0).item() == pytest.approx(1.0, rel=1e-5)
    np.testing.assert_allclose(parameters[1].grad.tolist(), [0.8], rtol=1e-5)
    assert nn.utils.get_total_norm([taeda.tensor([1.0, -7.0])], math.inf).item() == 7.0
    broken = with_grads([math.nan])
    with pytest.raises(RuntimeError, match="is non-finite, so it cannot be clipped"):
        nn.utils.clip_grad_norm_(broken, 1.0, error_if_nonfinite=True)


def test_clipping_by_value():
    parameters = with_grads([3.0, -0.2], [-4.0])
    nn.utils.clip_grad_value_(parameters, 0.5)
    assert parameters[0].grad.tolist() == pytest.approx([0.5, -0.2]) and parameters[1].grad.tolist() == [-0.5]


def test_parameters_as_one_vector():
    layer = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    nn.utils.vector_to_parameters(taeda.arange(9.0), layer.parameters())
    assert layer.weight.tolist() == [[0, 1], [2, 3], [4, 5]] and layer.bias.tolist() == [6, 7, 8]


# ---- other weights


def test_functional_call_leaves_the_module_alone():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    before = net[0].weight
    other = taeda.eye(2, requires_grad=True)
    result = taeda.nn.utils.stateless.functional_call(net, {"0.weight": other}, (taeda.tensor([[3.0, -1.0]]),))
    assert result.tolist() == [[3.0, 0.0]] and net[0].weight is before
    result.sum().backward()
    assert other.grad is not None and before.grad is None
    with pytest.raises(RuntimeError, match="Missing key"):
        taeda.nn.utils.stateless.functional_call(nn.Linear(1, 1), {}, (taeda.ones(1),), strict=True)


def test_functional_call_follows_tied_weights():
    net = nn.Module()
    net.a = nn.Linear(1, 1, bias=False)
    net.b = nn.Linear(1, 1, bias=False)
    net.b.weight = net.a.weight
    net.forward = lambda x: net.b(net.a(x))
    result = taeda.nn.utils.stateless.functional_call(net, {"a.weight": taeda.full((1, 1), 3.0)}, taeda.ones(1))
    assert result.item() == 9.0


def test_a_parametrized_weight_is_computed_when_read():
    class Symmetric(nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).transpose(-1, -2)

    layer = nn.Linear(3, 3)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert parametrize.is_parametrized(layer, "weight") and type(layer).__name__ == "ParametrizedLinear"
    assert layer.weight.tolist() == layer.weight.t().tolist()
    assert [name for name, _ in layer.named_parameters()] == ["bias", "parametrizations.weight.original"]
    x = taeda.ones(1, 3)
    np.testing.assert_allclose(layer(x).tolist(), (x @ layer.weight.t() + layer.bias).tolist(), rtol=1e-6)
    with parametrize.cached():
        assert layer.weight is layer.weight
    layer(x).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and layer.weight.tolist() == layer.weight.t().tolist()


def test_a_parametrization_may_not_change_the_shape():
    class Cut(nn.Module):
        def forward(self, x):
            return x[:1]

    with pytest.raises(ValueError, match="may not change the shape"):
        parametrize.register_parametrization(nn.Linear(2, 2), "weight", Cut())


@pytest.mark.parametrize("apply", [nn.utils.weight_norm, parametrizations.weight_norm])
def test_weight_norm_separates_length_and_direction(apply):
    layer = nn.Linear(3, 2)
    before, x = layer.weight.tolist(), taeda.ones(1, 3)
    expected = layer(x).tolist()
    apply(layer)
    np.testing.assert_allclose(layer(x).tolist(), expected, rtol=1e-5)
    np.testing.assert_allclose(layer.weight.tolist(), before, rtol=1e-5)
    shapes = sorted(tuple(parameter.shape) for parameter in layer.parameters())
    assert shapes == [(2,), (2, 1), (2, 3)]


@pytest.mark.parametrize("apply", [nn.utils.spectral_norm, parametrizations.spectral_norm])
def test_spectral_norm_divides_by_the_largest_singular_value(apply):
    layer = apply(nn.Linear(5, 4), n_power_iterations=30)
    layer(taeda.ones(1, 5))
    assert np.linalg.norm(layer.weight.detach().numpy(), 2) == pytest.approx(1.0, abs=1e-2)


def test_removing_the_old_norms_restores_a_parameter():
    layer = nn.utils.weight_norm(nn.Linear(3, 2))
    nn.utils.remove_weight_norm(layer)
    assert isinstance(layer.weight, nn.Parameter) and not layer._forward_pre_hooks
    layer = nn.utils.spectral_norm(nn.Linear(3, 2))
    nn.utils.remove_spectral_norm(layer)
    assert isinstance(layer.weight, nn.Parameter) and not layer._buffers
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found"):
        nn.utils.remove_weight_norm(layer)


def test_batch_norm_folds_into_the_layer_before_it():
    conv, bn = nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3)
    for _ in range(3):
        bn(conv(taeda.randn(4, 2, 8)))
    conv.eval(), bn.eval()
    x = taeda.randn(2, 2, 8)
    fused = nn.utils.fuse_conv_bn_eval(conv, bn)
    np.testing.assert_allclose(fused(x).tolist(), bn(conv(x)).tolist(), atol=1e-5)


def test_skipped_initialization_draws_nothing():
    taeda.manual_seed(0)
    nn.utils.skip_init(nn.Linear, 3, 4)
    after = taeda.rand(1).item()
    taeda.manual_seed(0)
    assert taeda.rand(1).item() == after
