"""Functions of nn.functional against NumPy and closed forms."""

import itertools
import math

import numpy as np
import pytest

import taeda
from taeda.nn import functional as F

rng = np.random.default_rng(11)


def array(tensor):
    return tensor.detach().numpy()


def tensor(values, grad=False):
    return taeda.from_numpy(np.ascontiguousarray(values, dtype=np.float64)).requires_grad_(grad)


def close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(array(actual), expected, rtol=tolerance, atol=tolerance)


def log_softmax(x, axis):
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


def check_gradient(function, *values, tolerance=1e-5):
    """Compare gradients with central differences."""
    leaves = [tensor(value, grad=True) for value in values]
    weights = rng.normal(size=array(function(*leaves)).shape)
    (function(*leaves) * tensor(weights)).sum().backward()
    for k, value in enumerate(values):
        numeric = np.zeros_like(value)
        for place in np.ndindex(*value.shape):
            results = []
            for step in (1e-6, -1e-6):
                moved = [np.array(other, copy=True) for other in values]
                moved[k][place] += step
                results.append((array(function(*map(tensor, moved))) * weights).sum())
            numeric[place] = (results[0] - results[1]) / 2e-6
        np.testing.assert_allclose(array(leaves[k].grad), numeric, rtol=tolerance, atol=tolerance)


# ---- padding, windows, shuffles


@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_pad_equals_numpys(mode, numpy_mode):
    x = rng.normal(size=(2, 3, 4, 5))
    close(F.pad(tensor(x), (1, 2, 3, 0), mode), np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2)), mode=numpy_mode))
    check_gradient(lambda t: F.pad(t, (2, 1), mode), rng.normal(size=(1, 2, 4)))


def test_pad_by_negative_numbers_crops_and_impossible_pads_are_errors():
    x = rng.normal(size=(1, 2, 6))
    close(F.pad(tensor(x), (-1, 2), "replicate"), np.pad(x[..., 1:], ((0, 0), (0, 0), (0, 2)), mode="edge"))
    close(F.pad(tensor(x), (-1, -2)), x[..., 1:-2])
    with pytest.raises(RuntimeError, match="Padding size should be less than the corresponding input dimension"):
        F.pad(tensor(x), (6, 0), "reflect")
    with pytest.raises(RuntimeError, match="Padding length must be divisible by 2"):
        F.pad(tensor(x), (1,))
    with pytest.raises(NotImplementedError):
        F.pad(tensor(x), (1, 1), "sideways")


def test_unfold_of_single_elements_is_a_copy():
    x = taeda.arange(24.0).view(2, 3, 2, 2)
    columns = F.unfold(x, 1)
    close(columns, array(x).reshape(2, 3, 4))
    columns[:] = 0
    assert x.sum() == 276
    assert F.unfold(taeda.ones(0, 3, 4, 4), 2).shape == (0, 12, 9)


def test_unfold_lists_windows_and_fold_adds_them_up():
    x = rng.normal(size=(2, 3, 6, 5))
    columns = F.unfold(tensor(x), (3, 2), dilation=(1, 2), padding=1, stride=2)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = [padded[:, :, i : i + 3, j : j + 3 : 2].reshape(2, -1) for i in (0, 2, 4) for j in (0, 2, 4)]
    close(columns, np.stack(windows, -1))
    counts = F.fold(taeda.ones_like(columns), (6, 5), (3, 2), dilation=(1, 2), padding=1, stride=2)
    close(F.fold(columns, (6, 5), (3, 2), (1, 2), 1, 2), x * array(counts))
    with pytest.raises(RuntimeError, match="expected size of input's dimension 2 to match"):
        F.fold(columns[..., 1:], (6, 5), (3, 2), (1, 2), 1, 2)


def test_shuffles_undo_each_other():
    x = rng.normal(size=(2, 8, 3, 4))
    up = F.pixel_shuffle(tensor(x), 2)
    assert up.shape == (2, 2, 6, 8)
    close(up[0, 1, 3, 5], x[0, 4 + 2 * (3 % 2) + 5 % 2, 1, 2])
    close(F.pixel_unshuffle(up, 2), x)
    close(F.channel_shuffle(tensor(x), 2), x[:, [0, 4, 1, 5, 2, 6, 3, 7]])
    with pytest.raises(RuntimeError, match="divisible by the square of upscale_factor"):
        F.pixel_shuffle(tensor(x), 3)


def test_one_hot():
    classes = taeda.tensor([[0, 2], [1, 0]])
    np.testing.assert_array_equal(array(F.one_hot(classes)), np.eye(3, dtype=int)[[[0, 2], [1, 0]]])
    assert F.one_hot(classes, 5).shape == (2, 2, 5)
    with pytest.raises(RuntimeError, match="Class values must be smaller than num_classes"):
        F.one_hot(classes, 2)
    with pytest.raises(RuntimeError, match="non-negative"):
        F.one_hot(classes - 1)


# ---- resizing and sampling


def test_linear_interpolation_equals_numpys():
    x = rng.normal(size=(1, 1, 7))
    for size in (4, 7, 13):
        places = np.clip((np.arange(size) + 0.5) * 7 / size - 0.5, 0, None)
        close(F.interpolate(tensor(x), size, mode="linear"), np.interp(places, range(7), x[0, 0])[None, None], 1e-6)
        corners = np.linspace(0, 6, size)
        aligned = F.interpolate(tensor(x), size, mode="linear", align_corners=True)
        close(aligned, np.interp(corners, range(7), x[0, 0])[None, None], 1e-6)


def test_nearest_and_area():
    x = rng.normal(size=(1, 2, 4, 6))
    close(F.interpolate(tensor(x), scale_factor=2), x.repeat(2, 2).repeat(2, 3))
    close(F.interpolate(tensor(x), size=(2, 3)), x[:, :, ::2, ::2])
    close(F.interpolate(tensor(x), size=(2, 3), mode="nearest-exact"), x[:, :, 1::2, 1::2])
    close(F.interpolate(tensor(x), size=(2, 3), mode="area"), x.reshape(1, 2, 2, 2, 3, 2).mean((3, 5)))


def test_cubic_interpolation_at_midpoints():
    x = rng.normal(size=9)
    image = np.broadcast_to(x, (1, 1, 3, 9)).copy()
    up = array(F.interpolate(tensor(image), size=(3, 17), mode="bicubic", align_corners=True))[0, 0, 1]
    np.testing.assert_allclose(up[::2], x, atol=1e-9)
    # Keys' kernel with a = -0.75 half-way between two points.
    middle = 0.59375 * (x[1:-2] + x[2:-1]) - 0.09375 * (x[:-3] + x[3:])
    np.testing.assert_allclose(up[3:-3:2], middle, atol=1e-9)


def test_antialiased_interpolation_keeps_straight_lines():
    image = np.broadcast_to(np.arange(24.0), (1, 1, 3, 24)).copy()
    for mode in ("bilinear", "bicubic"):
        down = array(F.interpolate(tensor(image), size=(3, 8), mode=mode, antialias=True))
        np.testing.assert_allclose(down[0, 0, 1, 2:-2], ((np.arange(8) + 0.5) * 3 - 0.5)[2:-2], atol=1e-4)


def test_interpolate_gradients_and_errors():
    for mode, size in (("bilinear", (3, 6)), ("bicubic", (5, 7)), ("nearest", (3, 6))):
        check_gradient(lambda t, mode=mode, size=size: F.interpolate(t, size, mode=mode), rng.normal(size=(1, 1, 4, 5)))
    x = tensor(np.ones((1, 1, 4)))
    with pytest.raises(ValueError, match="either size or scale_factor"):
        F.interpolate(x)
    with pytest.raises(ValueError, match="only one of size or scale_factor"):
        F.interpolate(x, 3, 2.0)
    with pytest.raises(NotImplementedError):
        F.interpolate(x, 3, mode="bilinear")


def test_the_identity_grid_samples_the_image_itself():
    x = rng.normal(size=(2, 3, 4, 5))
    identity = tensor(np.broadcast_to([[1.0, 0, 0], [0, 1, 0]], (2, 2, 3)).copy())
    for align in (False, True):
        grid = F.affine_grid(identity, (2, 3, 4, 5), align_corners=align)
        for mode in ("bilinear", "nearest", "bicubic"):
            close(F.grid_sample(tensor(x), grid, mode, "border", align_corners=align), x)


def test_grid_sample_by_hand_and_its_padding():
    image = tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    points = tensor([[[[0.0, 0.0], [3.0, 0.0], [-0.5, -0.5]]]])
    assert array(F.grid_sample(image, points, align_corners=False)).ravel().tolist() == [2.5, 0.0, 1.0]
    assert array(F.grid_sample(image, points, padding_mode="border", align_corners=False)).ravel().tolist() == [
        2.5,
        3,
        1,
    ]
    check_gradient(
        lambda t, g: F.grid_sample(t, g, align_corners=False),
        rng.normal(size=(1, 2, 3, 4)),
        rng.uniform(-0.9, 0.9, size=(1, 2, 2, 2)),
    )


# ---- distances, normalization


def test_distances():
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    close(F.pairwise_distance(tensor(x), tensor(y), 3.0), (abs(x - y + 1e-6) ** 3).sum(1) ** (1 / 3))
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    close(F.cosine_similarity(tensor(x), tensor(y)), cosine)
    pairs = [np.linalg.norm(x[i] - x[j]) for i, j in itertools.combinations(range(4), 2)]
    close(F.pdist(tensor(x)), pairs)
    close(F.normalize(tensor(x), p=1.0, dim=0), x / abs(x).sum(0))
    assert array(F.normalize(tensor(np.zeros((1, 2))))).tolist() == [[0.0, 0.0]]


# ---- losses


def test_elementwise_losses():
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    difference = abs(x - y)
    expected = {
        F.mse_loss: difference**2,
        F.l1_loss: difference,
        F.smooth_l1_loss: np.where(difference < 1, difference**2 / 2, difference - 0.5),
        F.huber_loss: np.where(difference < 1, difference**2 / 2, difference - 0.5),
    }
    for function, values in expected.items():
        close(function(tensor(x), tensor(y), reduction="none"), values)
        close(function(tensor(x), tensor(y)), values.mean())
        close(function(tensor(x), tensor(y), reduction="sum"), values.sum())
        with pytest.raises(ValueError, match="is not a valid value for reduction"):
            function(tensor(x), tensor(y), reduction="average")
    close(
        F.huber_loss(tensor(x), tensor(y), delta=0.3),
        np.where(difference < 0.3, difference**2 / 2, 0.3 * (difference - 0.15)).mean(),
    )
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(tensor(x), tensor(y[:1]))


def test_binary_cross_entropies():
    logits, y = rng.normal(size=(5, 2)), rng.uniform(size=(5, 2))
    p = 1 / (1 + np.exp(-logits))
    values = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    close(F.binary_cross_entropy(tensor(p), tensor(y)), values.mean())
    close(F.binary_cross_entropy_with_logits(tensor(logits), tensor(y)), values.mean())
    weighted = -(3 * y * np.log(p) + (1 - y) * np.log(1 - p))
    close(F.binary_cross_entropy_with_logits(tensor(logits), tensor(y), pos_weight=tensor([3.0, 3.0])), weighted.mean())
    assert F.binary_cross_entropy(tensor([0.0, 1.0]), tensor([1.0, 0.0]), reduction="none").tolist() == [100.0, 100.0]
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(tensor([1.5]), tensor([1.0]))
    with pytest.raises(ValueError, match="must be the same as input size"):
        F.binary_cross_entropy_with_logits(tensor(logits), tensor(y[:2]))


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_with_classes(reduction, weighted, smoothing):
    x, target = rng.normal(size=(6, 4, 2)), rng.integers(0, 4, size=(6, 2))
    target[0, 0] = -100
    weight = rng.uniform(0.5, 2, size=4) if weighted else np.ones(4)
    counted = target != -100
    safe = np.where(counted, target, 0)
    logs = log_softmax(x, 1)
    picked = -np.take_along_axis(logs, safe[:, None], 1)[:, 0] * weight[safe] * counted
    spread = -(logs * weight[:, None]).sum(1) * counted
    values = (1 - smoothing) * picked + smoothing / 4 * spread
    total = (weight[safe] * counted).sum()
    expected = {"none": values, "sum": values.sum(), "mean": values.sum() / total}[reduction]
    given = tensor(weight) if weighted else None
    actual = F.cross_entropy(tensor(x), taeda.from_numpy(target), given, reduction=reduction, label_smoothing=smoothing)
    close(actual, expected)


def test_cross_entropy_with_probabilities_and_without_a_batch():
    x, p = rng.normal(size=(3, 4)), rng.dirichlet(np.ones(4), size=3)
    close(F.cross_entropy(tensor(x), tensor(p)), -(log_softmax(x, 1) * p).sum(1).mean())
    smooth = p * 0.9 + 0.1 / 4
    close(F.cross_entropy(tensor(x), tensor(p), label_smoothing=0.1), -(log_softmax(x, 1) * smooth).sum(1).mean())
    close(F.cross_entropy(tensor(x[0]), taeda.tensor(2)), -log_softmax(x, 1)[0, 2])
    check_gradient(lambda t: F.cross_entropy(t, taeda.tensor([1, 0, 3]), label_smoothing=0.1), x)


def test_nll_loss_ignores_and_weighs():
    logs = log_softmax(rng.normal(size=(4, 3)), 1)
    target, weight = np.array([0, 2, 1, 2]), np.array([1.0, 2.0, 3.0])
    expected = -(logs[range(4), target] * weight[target]).sum() / weight[target].sum()
    close(F.nll_loss(tensor(logs), taeda.from_numpy(target), tensor(weight)), expected)
    kept = target != 2
    close(F.nll_loss(tensor(logs), taeda.from_numpy(target), ignore_index=2), -logs[range(4), target][kept].mean())


def test_divergences_and_likelihoods():
    p, q = rng.dirichlet(np.ones(5), size=3), rng.dirichlet(np.ones(5), size=3)
    divergence = (p * np.log(p / q)).sum() / 3
    close(F.kl_div(tensor(np.log(q)), tensor(p), reduction="batchmean"), divergence)
    close(F.kl_div(tensor(np.log(q)), tensor(np.log(p)), reduction="batchmean", log_target=True), divergence)
    rate, counts = rng.uniform(1, 3, size=4), np.array([0.0, 1.0, 3.0, 5.0])
    close(
        F.poisson_nll_loss(tensor(rate), tensor(counts), log_input=False, eps=0.0),
        (rate - counts * np.log(rate)).mean(),
    )
    mean, var = rng.normal(size=4), rng.uniform(0.5, 2, size=4)
    density = 0.5 * (np.log(var) + (counts - mean) ** 2 / var + math.log(2 * math.pi))
    close(F.gaussian_nll_loss(tensor(mean), tensor(counts), tensor(var), full=True), density.mean())
    with pytest.raises(ValueError, match="var has negative entry"):
        F.gaussian_nll_loss(tensor(mean), tensor(counts), tensor(-var))


def test_margin_losses():
    x, y = rng.normal(size=(3, 4)), np.sign(rng.normal(size=(3, 4)))
    close(F.hinge_embedding_loss(tensor(x), tensor(y), 0.7), np.where(y == 1, x, np.maximum(0.7 - x, 0)).mean())
    close(F.soft_margin_loss(tensor(x), tensor(y)), np.log1p(np.exp(-x * y)).mean())
    close(
        F.margin_ranking_loss(tensor(x[0]), tensor(x[1]), tensor(y[0]), 0.1),
        np.maximum(-y[0] * (x[0] - x[1]) + 0.1, 0).mean(),
    )
    target = np.array([1, 3, 0])
    excess = np.maximum(0.5 - x[range(3), target][:, None] + x, 0) ** 2
    excess[range(3), target] = 0
    close(F.multi_margin_loss(tensor(x), taeda.from_numpy(target), 2, 0.5), (excess.sum(1) / 4).mean())
    labels = np.array([[3, 0, -1, 1]])
    expected = sum(max(0, 1 - x[0, i] + x[0, j]) for i in (3, 0) for j in (1, 2)) / 4
    close(F.multilabel_margin_loss(tensor(x[:1]), taeda.from_numpy(labels)), expected)
    bits = (y + 1) / 2
    p = 1 / (1 + np.exp(-x))
    close(
        F.multilabel_soft_margin_loss(tensor(x), tensor(bits)), -(bits * np.log(p) + (1 - bits) * np.log(1 - p)).mean()
    )


def test_embedding_and_triplet_losses():
    a, b, c = rng.normal(size=(3, 5, 4))
    y = np.array([1.0, -1, 1, -1, -1])
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    expected = np.where(y == 1, 1 - cosine, np.maximum(cosine - 0.2, 0)).mean()
    close(F.cosine_embedding_loss(tensor(a), tensor(b), tensor(y), 0.2), expected, 1e-6)

    def distance(u, v):
        return np.linalg.norm(u - v + 1e-6, axis=1)

    far = np.minimum(distance(a, c), distance(b, c))
    close(
        F.triplet_margin_loss(tensor(a), tensor(b), tensor(c), swap=True),
        np.maximum(distance(a, b) - far + 1, 0).mean(),
    )
    manhattan = F.triplet_margin_with_distance_loss(
        tensor(a), tensor(b), tensor(c), distance_function=lambda u, v: (u - v).abs().sum(1)
    )
    close(manhattan, np.maximum(abs(a - b).sum(1) - abs(a - c).sum(1) + 1, 0).mean())


def alignments(n_steps, labels, n_classes, blank=0):
    """All paths of ``n_steps`` classes that collapse to ``labels``."""
    for path in itertools.product(range(n_classes), repeat=n_steps):
        collapsed = [c for i, c in enumerate(path) if c != blank and (i == 0 or path[i - 1] != c)]
        if collapsed == list(labels):
            yield path


def test_ctc_sums_over_all_alignments():
    x = rng.normal(size=(5, 3, 3))
    logs = log_softmax(x, 2)
    labels, lengths = [[1, 2], [1, 1], []], [5, 4, 3]
    expected = []
    for k, (target, n_steps) in enumerate(zip(labels, lengths, strict=True)):
        total = sum(math.exp(sum(logs[t, k, c] for t, c in enumerate(path))) for path in alignments(n_steps, target, 3))
        expected.append(-math.log(total))
    flat = taeda.tensor([1, 2, 1, 1])
    arguments = (flat, taeda.tensor(lengths), taeda.tensor([2, 2, 0]))
    close(F.ctc_loss(tensor(logs), *arguments, reduction="none"), expected)
    padded = taeda.tensor([[1, 2], [1, 1], [0, 0]])
    close(F.ctc_loss(tensor(logs), padded, lengths, [2, 2, 0], reduction="none"), expected)
    mean = (expected[0] / 2 + expected[1] / 2 + expected[2]) / 3
    close(F.ctc_loss(tensor(logs), *arguments), mean)
    # Through log_softmax the gradient is the true one.
    check_gradient(lambda t: F.ctc_loss(F.log_softmax(t, 2), *arguments, reduction="none"), x)


def test_ctc_of_an_impossible_target_is_infinite_or_zero():
    logs = tensor(log_softmax(rng.normal(size=(2, 1, 3)), 2), grad=True)
    arguments = (taeda.tensor([[1, 1]]), [2], [2])  # two equal labels need a blank between them
    assert F.ctc_loss(logs, *arguments, reduction="sum").item() == math.inf
    loss = F.ctc_loss(logs, *arguments, reduction="sum", zero_infinity=True)
    loss.backward()
    assert loss.item() == 0 and array(logs.grad).tolist() == np.zeros((2, 1, 3)).tolist()


def test_linear_cross_entropy_is_both_in_one():
    x, w, target = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), taeda.tensor([0, 1, 2, 3, 1])
    expected = -log_softmax(x @ w.T, 1)[range(5), [0, 1, 2, 3, 1]].mean()
    close(F.linear_cross_entropy(tensor(x), tensor(w), target), expected)


# ---- attention


def test_attention_by_definition():
    q, k, v = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 6))
    scores = q @ k.transpose(0, 2, 1) / math.sqrt(3)

    def expected(mask):
        weights = np.exp(log_softmax(np.where(mask, scores, -np.inf), -1))
        return weights @ v

    close(F.scaled_dot_product_attention(tensor(q), tensor(k), tensor(v)), expected(np.ones((4, 5), bool)))
    causal = np.tril(np.ones((4, 5), bool))
    close(F.scaled_dot_product_attention(tensor(q), tensor(k), tensor(v), is_causal=True), expected(causal))
    mask = rng.uniform(size=(4, 5)) < 0.6
    mask[:, 0], mask[2] = True, False
    allowed = np.where(mask.any(1, keepdims=True), mask, True)
    result = F.scaled_dot_product_attention(tensor(q), tensor(k), tensor(v), taeda.from_numpy(mask))
    close(result[:, [0, 1, 3]], expected(allowed)[:, [0, 1, 3]])
    assert array(result[:, 2]).tolist() == np.zeros((2, 6)).tolist()  # a query that may see nothing


def test_grouped_queries_share_keys():
    q, k, v = rng.normal(size=(1, 4, 2, 3)), rng.normal(size=(1, 2, 5, 3)), rng.normal(size=(1, 2, 5, 3))
    shared = F.scaled_dot_product_attention(tensor(q), tensor(k), tensor(v), enable_gqa=True)
    repeated = F.scaled_dot_product_attention(tensor(q), tensor(k.repeat(2, 1)), tensor(v.repeat(2, 1)))
    close(shared, array(repeated))


def test_gumbel_softmax_is_one_hot_on_demand():
    taeda.manual_seed(3)
    logits = tensor(rng.normal(size=(6, 4)), grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    np.testing.assert_allclose(np.sort(array(hard), 1), np.tile([0.0, 0, 0, 1], (6, 1)), atol=1e-12)
    (hard * tensor(rng.normal(size=(6, 4)))).sum().backward()
    assert abs(array(logits.grad)).sum() > 0
