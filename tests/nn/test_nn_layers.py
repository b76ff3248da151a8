"""Layers against NumPy: each figure is computed here from the layer's definition."""

import math

import numpy as np
import pytest

import taeda
from taeda import nn
from taeda.nn import functional as F

rng = np.random.default_rng(7)


def array(tensor):
    return tensor.detach().numpy()


def tensor(values, **options):
    return taeda.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).requires_grad_(options.get("grad", False))


def close(actual, expected, tolerance=1e-5):
    np.testing.assert_allclose(array(actual), expected, rtol=tolerance, atol=tolerance)


def correlate(x, w, bias, stride, padding, dilation, groups):
    """A 2-D convolution by definition: one window at a time."""
    n, _, h, width = x.shape
    c_out, per_group, kh, kw = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    oh = (h + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    ow = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    out = np.zeros((n, c_out, oh, ow))
    for o in range(c_out):
        start = o // (c_out // groups) * per_group
        for i in range(oh):
            for j in range(ow):
                rows = slice(i * stride, i * stride + dilation * (kh - 1) + 1, dilation)
                columns = slice(j * stride, j * stride + dilation * (kw - 1) + 1, dilation)
                window = x[:, start : start + per_group, rows, columns]
                out[:, o, i, j] = (window * w[o]).sum((1, 2, 3)) + bias[o]
    return out


def test_linear_and_bilinear():
    x, y = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 4))
    layer = nn.Linear(3, 2)
    close(layer(tensor(x)), x @ array(layer.weight).T + array(layer.bias))
    layer = nn.Bilinear(3, 4, 2)
    expected = np.einsum("abi,kij,abj->abk", x, array(layer.weight), y) + array(layer.bias)
    close(layer(tensor(x), tensor(y)), expected)


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 4)])
def test_convolution_by_definition(stride, padding, dilation, groups):
    x = rng.normal(size=(2, 4, 7, 6))
    layer = nn.Conv2d(4, 8, 3, stride, padding, dilation, groups)
    expected = correlate(x, array(layer.weight), array(layer.bias), stride, padding, dilation, groups)
    close(layer(tensor(x)), expected, 1e-4)


@pytest.mark.parametrize(("mode", "numpy_mode"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_convolution_padding_modes(mode, numpy_mode):
    x = rng.normal(size=(1, 2, 6, 5))
    layer = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode=numpy_mode)
    close(layer(tensor(x)), correlate(padded, array(layer.weight), array(layer.bias), 1, 0, 1, 1), 1e-4)


def test_transposed_convolution_is_the_gradient_of_the_convolution():
    layer = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1, bias=False)
    x = tensor(rng.normal(size=(2, 4, 5, 5)))
    image = tensor(rng.normal(size=(2, 3, 10, 10)), grad=True)
    (nn.functional.conv2d(image, layer.weight, None, 2, 1) * x).sum().backward()
    close(layer(x), array(image.grad), 1e-4)
    assert layer(x, output_size=(9, 9)).shape == (2, 3, 9, 9)
    with pytest.raises(ValueError, match="requested an output size"):
        layer(x, output_size=(20, 20))


def test_same_padding_keeps_the_size_and_conflicts_are_errors():
    x = tensor(rng.normal(size=(1, 2, 9)))
    assert nn.Conv1d(2, 2, 4, padding="same", dilation=2)(x).shape == (1, 2, 9)
    with pytest.raises(ValueError, match="not supported for strided convolutions"):
        nn.Conv1d(2, 2, 3, stride=2, padding="same")
    with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
        nn.Conv1d(3, 4, 3, groups=2)


def test_batch_norm_in_training_and_evaluation():
    x = rng.normal(2, 3, size=(8, 3, 4))
    layer = nn.BatchNorm1d(3)
    mean, var = x.mean((0, 2)), x.var((0, 2))
    close(layer(tensor(x)), (x - mean[:, None]) / np.sqrt(var[:, None] + 1e-5), 1e-4)
    close(layer.running_mean, 0.1 * mean)
    close(layer.running_var, 0.9 + 0.1 * x.var((0, 2), ddof=1), 1e-4)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    expected = (x - 0.1 * mean[:, None]) / np.sqrt(array(layer.running_var)[:, None] + 1e-5)
    close(layer(tensor(x)), expected, 1e-4)
    with pytest.raises(ValueError, match="expected 2D or 3D input"):
        layer(taeda.ones(2, 3, 4, 5))
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm1d(3)(taeda.ones(1, 3))


def test_batch_norm_averages_without_momentum():
    layer = nn.BatchNorm1d(2, momentum=None)
    batches = rng.normal(size=(3, 5, 2))
    for batch in batches:
        layer(tensor(batch))
    close(layer.running_mean, batches.mean((0, 1)))


def test_layer_group_instance_and_rms_norm():
    x = rng.normal(1, 2, size=(3, 4, 5))
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    close(nn.LayerNorm(5)(tensor(x)), (x - mean) / np.sqrt(var + 1e-5), 1e-4)
    close(nn.InstanceNorm1d(4)(tensor(x)), (x - mean) / np.sqrt(var + 1e-5), 1e-4)
    grouped = x.reshape(3, 2, 10)
    normal = (grouped - grouped.mean(-1, keepdims=True)) / np.sqrt(grouped.var(-1, keepdims=True) + 1e-5)
    close(nn.GroupNorm(2, 4)(tensor(x)), normal.reshape(3, 4, 5), 1e-4)
    close(nn.RMSNorm(5, eps=1e-6)(tensor(x)), x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6), 1e-4)


def test_local_response_norm():
    x = rng.normal(size=(2, 6, 3))
    squares = np.pad(x**2, ((0, 0), (1, 1), (0, 0)))
    windows = sum(squares[:, i : i + 6] for i in range(3)) / 3
    close(nn.LocalResponseNorm(3, alpha=0.5, beta=0.7, k=2.0)(tensor(x)), x / (2 + 0.5 * windows) ** 0.7)


def test_instance_norm_keeps_running_statistics():
    layer = nn.InstanceNorm1d(2, track_running_stats=True)
    x = rng.normal(size=(3, 2, 6))
    layer(tensor(x))
    close(layer.running_mean, 0.1 * x.mean(-1).mean(0))
    close(layer.running_var, 0.9 + 0.1 * x.var(-1, ddof=1).mean(0))


def test_pooling_by_windows():
    x = rng.normal(size=(2, 3, 6, 6))
    blocks = x.reshape(2, 3, 3, 2, 3, 2)
    close(nn.MaxPool2d(2)(tensor(x)), blocks.max((3, 5)))
    close(nn.AvgPool2d(2)(tensor(x)), blocks.mean((3, 5)))
    close(nn.AdaptiveAvgPool2d((3, None))(tensor(x)), x.reshape(2, 3, 3, 2, 6).mean(3))
    close(nn.LPPool2d(2, 2)(tensor(x)), np.sqrt((blocks**2).sum((3, 5))), 1e-4)


def test_unpooling_puts_maxima_back():
    x = tensor(rng.normal(size=(1, 2, 6, 6)))
    pooled, places = nn.MaxPool2d(2, return_indices=True)(x)
    back = array(nn.MaxUnpool2d(2)(pooled, places))
    assert (back != 0).sum() == 18
    np.testing.assert_array_equal(back[back != 0], array(x)[back != 0])


def test_fractional_pooling_takes_maxima_of_windows():
    x = tensor(rng.normal(size=(2, 3, 9, 9)))
    result, places = nn.FractionalMaxPool2d(2, output_size=(4, 5), return_indices=True)(x)
    assert result.shape == (2, 3, 4, 5)
    close(x.flatten(2).gather(2, places.flatten(2)).view(2, 3, 4, 5), array(result))
    with pytest.raises(ValueError, match="requires specifying either"):
        nn.FractionalMaxPool2d(2)


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), lambda x: np.maximum(x, 0)),
        (nn.ReLU6(), lambda x: np.clip(x, 0, 6)),
        (nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
        (nn.CELU(0.5), lambda x: np.maximum(x, 0) + np.minimum(0, 0.5 * np.expm1(x / 0.5))),
        (nn.SELU(), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
        (nn.SiLU(), lambda x: x / (1 + np.exp(-x))),
        (nn.Mish(), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
        (nn.GELU(), lambda x: x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
        (nn.GELU("tanh"), lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
        (nn.LeakyReLU(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
        (nn.Hardtanh(-0.5, 1.5), lambda x: np.clip(x, -0.5, 1.5)),
        (nn.Hardsigmoid(), lambda x: np.clip(x + 3, 0, 6) / 6),
        (nn.Hardswish(), lambda x: x * np.clip(x + 3, 0, 6) / 6),
        (nn.Hardshrink(0.7), lambda x: np.where(abs(x) > 0.7, x, 0)),
        (nn.Softshrink(0.7), lambda x: np.sign(x) * np.maximum(abs(x) - 0.7, 0)),
        (nn.Softplus(2.0), lambda x: np.log1p(np.exp(2 * x)) / 2),
        (nn.Softsign(), lambda x: x / (1 + abs(x))),
        (nn.Tanhshrink(), lambda x: x - np.tanh(x)),
        (nn.LogSigmoid(), lambda x: -np.log1p(np.exp(-x))),
        (nn.Threshold(0.3, 9.0), lambda x: np.where(x > 0.3, x, 9.0)),
        (nn.PReLU(), lambda x: np.where(x > 0, x, 0.25 * x)),
        (nn.RReLU().eval(), lambda x: np.where(x > 0, x, x * (1 / 8 + 1 / 3) / 2)),
        (nn.Softmax(-1), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        (nn.Softmin(-1), lambda x: np.exp(-x) / np.exp(-x).sum(-1, keepdims=True)),
        (nn.LogSoftmax(-1), lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
        (nn.GLU(), lambda x: x[..., :4] / (1 + np.exp(-x[..., 4:]))),
    ],
)
def test_activations(layer, function):
    x = rng.normal(0, 2, size=(3, 5, 8))
    close(layer(tensor(x)), function(x), 1e-5)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.LeakyReLU])
def test_in_place_activations_overwrite_and_keep_the_gradient(kind):
    x = rng.normal(size=(4, 5))
    leaf, other = tensor(x, grad=True), tensor(x, grad=True)
    doubled = leaf * 2
    result = kind(inplace=True)(doubled)
    assert result is doubled
    expected = kind()(other * 2)
    close(result, array(expected))
    result.sum().backward()
    expected.sum().backward()
    close(leaf.grad, array(other.grad))


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    x = taeda.ones(100, 100)
    for layer in (nn.Dropout(0.3), nn.AlphaDropout(0.3)):
        assert layer.eval()(x) is x or array(layer(x)).tolist() == array(x).tolist()
    taeda.manual_seed(1)
    dropped = array(nn.Dropout(0.3)(x))
    assert set(np.unique(dropped).round(4)) == {0.0, np.float32(1 / 0.7).round(4)}
    assert abs(dropped.mean() - 1) < 0.03
    channels = array(nn.Dropout2d(0.5)(taeda.ones(50, 20, 3, 3)))
    assert all(len(np.unique(plane)) == 1 for plane in channels.reshape(-1, 9))
    normal = tensor(rng.normal(size=(200, 200)))
    kept = array(nn.AlphaDropout(0.2)(normal))
    assert abs(kept.mean()) < 0.03 and abs(kept.std() - 1) < 0.03
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(1.5)


def test_embedding_rows_padding_and_renormalization():
    layer = nn.Embedding(5, 3, padding_idx=-1, max_norm=1.0)
    assert layer.padding_idx == 4 and layer.weight[4].abs().sum().item() == 0
    index = taeda.tensor([[0, 4], [2, 0]])
    out = layer(index)
    close(out, array(layer.weight)[[[0, 4], [2, 0]]])
    assert np.linalg.norm(array(layer.weight)[[0, 2]], axis=1).max() <= 1.0 + 1e-5
    out.sum().backward()
    assert layer.weight.grad.sum(1).tolist() == [6.0, 0.0, 3.0, 0.0, 0.0]
    frozen = nn.Embedding.from_pretrained(taeda.ones(2, 2))
    assert not frozen.weight.requires_grad
    with pytest.raises(AssertionError, match="Padding_idx must be within num_embeddings"):
        nn.Embedding(3, 2, padding_idx=3)


def test_embedding_bag_modes():
    weight = rng.normal(size=(6, 2))
    flat, offsets = [1, 2, 2, 5, 0], [0, 2, 2]
    bags = [[1, 2], [], [2, 5, 0]]
    for mode, reduce in (("sum", np.sum), ("mean", np.mean), ("max", np.max)):
        layer = nn.EmbeddingBag.from_pretrained(tensor(weight), mode=mode)
        expected = [reduce(weight[bag], axis=0) if bag else np.zeros(2) for bag in bags]
        close(layer(taeda.tensor(flat), taeda.tensor(offsets)), np.array(expected))
    layer = nn.EmbeddingBag.from_pretrained(tensor(weight), mode="sum", padding_idx=2)
    factors = taeda.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    expected = [weight[1], np.zeros(2), 4 * weight[5] + 5 * weight[0]]
    close(layer(taeda.tensor(flat), taeda.tensor(offsets), factors), np.array(expected))


def test_lazy_layers_take_their_sizes_from_the_first_input():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    assert net[0].has_uninitialized_params()
    with pytest.raises(RuntimeError, match="uninitialized parameter"):
        _ = net[3].weight.shape
    assert net(tensor(rng.normal(size=(2, 3, 5, 5)))).shape == (2, 2)
    assert type(net[0]) is nn.Conv2d and type(net[1]) is nn.BatchNorm2d and type(net[3]) is nn.Linear
    assert net[0].weight.shape == (4, 3, 3, 3) and net[3].in_features == 36 and net[1].running_mean.shape == (4,)
    fresh = nn.LazyLinear(2)
    fresh.load_state_dict(net[3].state_dict())
    assert fresh(tensor(rng.normal(size=(1, 36)))).shape == (1, 2)


def test_adaptive_softmax_is_a_distribution():
    layer = nn.AdaptiveLogSoftmaxWithLoss(8, 12, [4, 8], div_value=2.0)
    x = tensor(rng.normal(size=(6, 8)))
    everything = array(layer.log_prob(x))
    np.testing.assert_allclose(np.exp(everything).sum(1), np.ones(6), rtol=1e-4)
    target = np.array([0, 3, 5, 7, 9, 11])
    output, loss = layer(x, taeda.from_numpy(target))
    close(output, everything[np.arange(6), target], 1e-4)
    assert abs(loss.item() + everything[np.arange(6), target].mean()) < 1e-4
    assert layer.predict(x).tolist() == everything.argmax(1).tolist()


def test_data_parallel_is_its_module():
    layer = nn.Linear(3, 2)
    wrapped = nn.DataParallel(layer)
    x = tensor(rng.normal(size=(4, 3)))
    assert wrapped(x).tolist() == layer(x).tolist()
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with pytest.raises(RuntimeError, match="no accelerators"):
        nn.DataParallel(layer, device_ids=[0, 1])


def test_gradients_of_convolutions_by_themselves():
    x, weight = tensor(rng.normal(size=(2, 3, 6, 5)), grad=True), tensor(rng.normal(size=(4, 3, 3, 2)), grad=True)
    out = nn.functional.conv2d(x, weight, None, 2, 1)
    grad = tensor(rng.normal(size=tuple(out.shape)))
    out.backward(grad)
    close(nn.grad.conv2d_input(x.shape, weight, grad, 2, 1), array(x.grad))
    close(nn.grad.conv2d_weight(x, weight.shape, grad, 2, 1), array(weight.grad))


def test_sync_batch_norm_of_one_process_is_batch_norm():
    plain = nn.Sequential(nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm2d(2, affine=False)))
    plain[0].weight.data.fill_(2.0)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(plain)
    assert isinstance(converted[0], nn.SyncBatchNorm) and isinstance(converted[1][0], nn.SyncBatchNorm)
    x = taeda.randn(5, 3, 4)
    expected = F.batch_norm(x, None, None, taeda.full((3,), 2.0), taeda.zeros(3), True)
    assert taeda.allclose(converted[0](x), expected, atol=1e-5)
    assert converted[0].num_batches_tracked.item() == 1
    with pytest.raises(ValueError, match="expected at least 2D input"):
        nn.SyncBatchNorm(3)(taeda.zeros(3))


@pytest.mark.parametrize("kind", ["avg", "max"])
def test_adaptive_pools_name_what_is_wrong(kind):
    with pytest.raises(RuntimeError, match="should contain one int \\(got 0\\)"):
        getattr(F, f"adaptive_{kind}_pool1d")(taeda.zeros(2, 2), ())
    with pytest.raises(ValueError, match="Input dimension should be at least 3"):
        getattr(F, f"adaptive_{kind}_pool2d")(taeda.zeros(2, 2), (1, 1))
    with pytest.raises(ValueError, match="Input dimension should be at least 4"):
        getattr(F, f"adaptive_{kind}_pool3d")(taeda.zeros(2, 2, 2), (1, 1, 1))


def test_fractional_pool_sends_gradients_to_the_maxima():
    x = taeda.arange(50.0).reshape(1, 2, 5, 5).requires_grad_()
    made, places = F.fractional_max_pool2d(x, 2, output_size=(3, 3), return_indices=True)
    made.sum().backward()
    expected = taeda.zeros(1, 2, 25).scatter_add_(2, places.flatten(2), taeda.ones(1, 2, 9))
    assert taeda.equal(x.grad.flatten(2), expected)
    assert taeda.equal(made.flatten(2), x.detach().flatten(2).gather(2, places.flatten(2)))
