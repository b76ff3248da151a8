"""Recurrent layers against loops over single steps in NumPy; packed sequences against the sequences one by one."""

import numpy as np
import pytest

import taeda
from taeda import nn
from taeda.nn.utils import rnn

rng = np.random.default_rng(5)


def array(tensor):
    return tensor.detach().numpy()


def tensor(values):
    return taeda.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, state, w):
    hidden, cell = state
    i, f, g, o = np.split(x @ w["weight_ih"].T + w["bias_ih"] + hidden @ w["weight_hh"].T + w["bias_hh"], 4, -1)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    hidden = sigmoid(o) * np.tanh(cell)
    return (hidden @ w["weight_hr"].T if "weight_hr" in w else hidden), cell


def gru(x, state, w):
    r_x, z_x, n_x = np.split(x @ w["weight_ih"].T + w["bias_ih"], 3, -1)
    r_h, z_h, n_h = np.split(state[0] @ w["weight_hh"].T + w["bias_hh"], 3, -1)
    reset, update = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
    return ((1 - update) * np.tanh(n_x + reset * n_h) + update * state[0],)


def elman(x, state, w):
    return (np.tanh(x @ w["weight_ih"].T + w["bias_ih"] + state[0] @ w["weight_hh"].T + w["bias_hh"]),)


def reference(layer, step, x, state):
    """All layers and directions of ``layer`` over x (T, N, features), by one NumPy step at a time."""
    finals, k = [], 0
    for depth in range(layer.num_layers):
        outputs = []
        for suffix in ("", "_reverse") if layer.bidirectional else ("",):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
            own = {name: getattr(layer, f"{name}_l{depth}{suffix}", None) for name in names}
            weights = {name: array(value) for name, value in own.items() if value is not None}
            current, hidden = tuple(part[k] for part in state), [None] * len(x)
            for t in reversed(range(len(x))) if suffix else range(len(x)):
                current = step(x[t], current, weights)
                hidden[t] = current[0]
            outputs.append(np.stack(hidden))
            finals.append(current)
            k += 1
        x = np.concatenate(outputs, -1)
    return x, [np.stack(parts) for parts in zip(*finals, strict=True)]


CASES = [
    (nn.LSTM, lstm, {}),
    (nn.LSTM, lstm, {"num_layers": 2, "bidirectional": True}),
    (nn.LSTM, lstm, {"num_layers": 2, "proj_size": 2}),
    (nn.GRU, gru, {"num_layers": 2}),
    (nn.GRU, gru, {"bidirectional": True}),
    (nn.RNN, elman, {"num_layers": 2, "bidirectional": True}),
]


@pytest.mark.parametrize(("kind", "step", "options"), CASES)
def test_whole_sequences(kind, step, options):
    layer = kind(3, 4, **options).double()
    x = rng.normal(size=(5, 2, 3))
    n_rows = layer.num_layers * (2 if layer.bidirectional else 1)
    sizes = [layer.proj_size or 4, 4] if kind is nn.LSTM else [4]
    state = [rng.normal(size=(n_rows, 2, size)) for size in sizes]
    given = tuple(map(tensor, state))
    output, final = layer(tensor(x), given if kind is nn.LSTM else given[0])
    expected, expected_final = reference(layer, step, x, state)
    np.testing.assert_allclose(array(output), expected, atol=1e-10)
    for actual, wanted in zip(final if kind is nn.LSTM else [final], expected_final, strict=True):
        np.testing.assert_allclose(array(actual), wanted, atol=1e-10)


@pytest.mark.parametrize(("kind", "step", "options"), CASES)
def test_packed_sequences_equal_single_ones(kind, step, options):
    layer = kind(3, 4, **options).double()
    sequences = [tensor(rng.normal(size=(n, 3))) for n in (2, 5, 3)]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    output, final = layer(packed)
    outputs = rnn.unpack_sequence(output)
    for k, sequence in enumerate(sequences):
        alone, alone_final = layer(sequence)
        np.testing.assert_allclose(array(outputs[k]), array(alone), atol=1e-10)
        for part, alone_part in zip(
            final if kind is nn.LSTM else [final], alone_final if kind is nn.LSTM else [alone_final], strict=True
        ):
            np.testing.assert_allclose(array(part[:, k]), array(alone_part), atol=1e-10)


def test_batch_first_and_relu_and_no_bias():
    layer = nn.RNN(3, 4, nonlinearity="relu", batch_first=True, bias=False).double()
    x = rng.normal(size=(2, 5, 3))
    output, final = layer(tensor(x))
    hidden = np.zeros((2, 4))
    for t in range(5):
        hidden = np.maximum(x[:, t] @ array(layer.weight_ih_l0).T + hidden @ array(layer.weight_hh_l0).T, 0)
        np.testing.assert_allclose(array(output[:, t]), hidden, atol=1e-12)
    np.testing.assert_allclose(array(final[0]), hidden, atol=1e-12)


@pytest.mark.parametrize(("kind", "step"), [(nn.LSTMCell, lstm), (nn.GRUCell, gru), (nn.RNNCell, elman)])
def test_cells(kind, step):
    cell = kind(3, 4).double()
    x, state = rng.normal(size=(2, 3)), [rng.normal(size=(2, 4)) for _ in range(2 if kind is nn.LSTMCell else 1)]
    weights = {name: array(value) for name, value in cell.named_parameters()}
    given = tuple(map(tensor, state))
    actual = cell(tensor(x), given if kind is nn.LSTMCell else given[0])
    expected = step(x, state, weights)
    for part, wanted in zip(actual if kind is nn.LSTMCell else [actual], expected, strict=True):
        np.testing.assert_allclose(array(part), wanted, atol=1e-12)
    assert (cell(tensor(x[0]))[0] if kind is nn.LSTMCell else cell(tensor(x[0]))).shape == (4,)


def test_gradients_reach_every_weight():
    layer = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
    layer(taeda.ones(5, 2, 3))[0].sum().backward()
    assert all(parameter.grad is not None and bool((parameter.grad != 0).any()) for parameter in layer.parameters())


def step_by_step(layer, x, state):
    """An LSTM of one layer in single cells."""
    hidden, cell = (part[0] for part in state)
    outputs = []
    for given in x:
        gates = taeda.nn.functional.linear(given, layer.weight_ih_l0, layer.bias_ih_l0 + layer.bias_hh_l0)
        i, f, z, o = (gates + hidden @ layer.weight_hh_l0.t()).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * z.tanh()
        hidden = o.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return taeda.stack(outputs), (hidden[None], cell[None])


@pytest.mark.parametrize("batch", [1, 3, 13])
def test_the_gradients_of_a_whole_sequence_are_those_of_its_steps(batch):
    layer = nn.LSTM(3, 5).double()
    inputs = [tensor(rng.normal(size=size)) for size in ((4, batch, 3), (1, batch, 5), (1, batch, 5))]
    seeds = [tensor(rng.normal(size=size)) for size in ((4, batch, 5), (1, batch, 5), (1, batch, 5))]
    found = []
    for run in (lambda x, state: layer(x, state), lambda x, state: step_by_step(layer, x, state)):
        x, hidden, cell = (value.clone().requires_grad_() for value in inputs)
        output, (last, last_cell) = run(x, (hidden, cell))
        leaves = [x, hidden, cell, *layer.parameters()]
        first = taeda.autograd.grad((output, last, last_cell), leaves, seeds, create_graph=True)
        second = taeda.autograd.grad(sum(part.square().sum() for part in first), leaves)
        once = taeda.autograd.grad(run(x, (hidden, cell))[1][1].sum(), leaves)  # of the last cell state alone
        found.append((output, *first, *second, *once))
    for mine, expected in zip(*found, strict=True):
        np.testing.assert_allclose(array(mine), array(expected), rtol=1e-9, atol=1e-11)


def test_what_is_frozen_gets_no_gradient():
    layer = nn.LSTM(3, 4)
    layer.weight_hh_l0.requires_grad_(False)
    layer(taeda.ones(5, 2, 3))[0].sum().backward()
    assert layer.weight_hh_l0.grad is None and layer.weight_ih_l0.grad is not None


def test_a_long_layer_does_not_depend_on_the_number_of_threads():
    layer, x = nn.LSTM(40, 64), taeda.from_numpy(rng.normal(size=(12, 33, 40)).astype(np.float32))
    threads, found = taeda.get_num_threads(), []
    try:
        for count in (1, 2):
            taeda.set_num_threads(count)
            layer.zero_grad()
            output, _ = layer(x)
            output.square().sum().backward()
            found.append([array(output), *(array(parameter.grad) for parameter in layer.parameters())])
    finally:
        taeda.set_num_threads(threads)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_forward_mode_and_mapping_over_an_lstm():
    layer = nn.LSTM(3, 4).double()
    x, way = (tensor(rng.normal(size=(5, 2, 3))) for _ in range(2))
    _, made = taeda.func.jvp(lambda x: layer(x)[0], (x,), (way,))
    expected = (layer(x + 1e-6 * way)[0] - layer(x - 1e-6 * way)[0]) / 2e-6
    np.testing.assert_allclose(array(made), array(expected), rtol=1e-6, atol=1e-8)
    mapped = taeda.func.vmap(lambda x: layer(x)[0])(taeda.stack([x, way]))
    np.testing.assert_allclose(array(mapped[1]), array(layer(way)[0]), rtol=1e-10)


def test_dropout_between_layers_only_in_training():
    layer = nn.GRU(3, 4, num_layers=2, dropout=0.9)
    x = taeda.ones(5, 2, 3)
    assert layer.eval()(x)[0].tolist() == layer(x)[0].tolist()
    taeda.manual_seed(0)
    first = layer.train()(x)[0].tolist()
    assert first != layer(x)[0].tolist()
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        nn.GRU(3, 4, dropout=0.5)


@pytest.mark.parametrize(
    ("act", "phrase"),
    [
        (lambda: nn.LSTM(3, 4)(taeda.ones(5, 2, 7)), "input.size(-1) must be equal to input_size. Expected 3, got 7"),
        (
            lambda: nn.GRU(3, 4)(taeda.ones(5, 2, 3), taeda.ones(1, 9, 4)),
            "Expected hidden size (1, 2, 4), got [1, 9, 4]",
        ),
        (lambda: nn.GRU(3, 4)(taeda.ones(5, 3), taeda.ones(1, 1, 4)), "hx should also be 2-D but got 3-D tensor"),
        (lambda: nn.LSTM(3, 0), "hidden_size must be greater than zero"),
        (lambda: nn.GRU(3, 4, proj_size=2), "proj_size argument is only supported for LSTM"),
        (lambda: nn.RNN(3, 4, nonlinearity="sine"), "Unknown nonlinearity 'sine'"),
        (lambda: nn.LSTMCell(3, 4)(taeda.ones(2, 5)), "input has inconsistent input_size: got 5 expected 3"),
    ],
)
def test_errors_name_what_is_wrong(act, phrase):
    with pytest.raises((RuntimeError, ValueError)) as caught:
        act()
    assert phrase in str(caught.value)


# ---- packing


def test_packing_and_padding_undo_each_other():
    sequences = [taeda.tensor([1.0, 2.0, 3.0]), taeda.tensor([4.0]), taeda.tensor([5.0, 6.0])]
    padded = rnn.pad_sequence(sequences, batch_first=True, padding_value=-1.0)
    assert padded.tolist() == [[1, 2, 3], [4, -1, -1], [5, 6, -1]]
    assert rnn.pad_sequence(sequences, True, padding_side="left").tolist() == [[1, 2, 3], [0, 0, 4], [0, 5, 6]]
    packed = rnn.pack_padded_sequence(padded, [3, 1, 2], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [1, 5, 4, 2, 6, 3] and packed.batch_sizes.tolist() == [3, 2, 1]
    back, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1.0)
    assert back.tolist() == padded.tolist() and lengths.tolist() == [3, 1, 2]
    assert rnn.pad_packed_sequence(packed, True, total_length=4)[0].shape == (3, 4)
    assert [part.tolist() for part in rnn.unpack_sequence(packed)] == [[1, 2, 3], [4], [5, 6]]
    assert packed.double().data.dtype == taeda.float64


def test_packing_errors():
    padded = taeda.ones(3, 2, 1)
    with pytest.raises(RuntimeError, match="must be sorted in decreasing order"):
        rnn.pack_padded_sequence(padded, [1, 2])
    with pytest.raises(RuntimeError, match="has to be greater than 0"):
        rnn.pack_padded_sequence(padded, [2, 0])
    with pytest.raises(RuntimeError, match="to be equal to batch_size"):
        rnn.pack_padded_sequence(padded, [2])
    with pytest.raises(ValueError, match="Expected total_length to be at least"):
        rnn.pad_packed_sequence(rnn.pack_padded_sequence(padded, [3, 1]), total_length=2)
