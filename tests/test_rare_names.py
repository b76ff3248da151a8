"""Names that few programs use: old constructors, switches, control flow, and what is absent and says so."""

import numpy
import pytest

import taeda


def test_old_constructors_make_tensors_and_know_their_kind():
    assert taeda.FloatTensor(2, 3).shape == (2, 3) and taeda.DoubleTensor().dtype == taeda.float64
    assert taeda.LongTensor([1, 2]).tolist() == [1, 2]
    assert isinstance(taeda.ones(2), taeda.FloatTensor) and not isinstance(taeda.ones(2), taeda.LongTensor)
    assert taeda.IntTensor(taeda.Size([2])).shape == (2,)
    with pytest.raises(TypeError, match="expected ByteTensor"):
        taeda.ByteTensor(taeda.ones(2))


def test_storages_by_kind_share_their_memory():
    storage = taeda.FloatStorage([1.0, 2.0, 3.0])
    assert isinstance(storage, taeda.FloatStorage) and isinstance(storage, taeda.TypedStorage)
    view = taeda.empty(0).set_(storage, 1, (2,))
    view[0] = 7.0
    assert storage.tolist() == [1.0, 7.0, 3.0]
    assert view.storage_type() is taeda.FloatStorage


@pytest.mark.parametrize("name", ["ScriptModule", "SymInt", "Stream", "DispatchKey"])
def test_absent_classes_have_no_instances(name):
    absent = getattr(taeda, name)
    assert not isinstance(taeda.ones(1), absent)
    with pytest.raises(NotImplementedError, match=f"taeda has no {name}: ."):
        absent()


@pytest.mark.parametrize("name", ["quantize_per_tensor", "batch_norm_stats", "mkldnn_convolution", "parse_ir"])
def test_absent_functions_raise_with_the_reason(name):
    with pytest.raises(NotImplementedError, match=f"taeda has no {name}: ."):
        getattr(taeda, name)(taeda.ones(1))
    assert "NotImplementedError" in getattr(taeda, name).__doc__


def test_absent_dtypes_can_be_compared_but_not_used():
    assert taeda.complex32 is taeda.chalf and taeda.complex32 != taeda.complex64
    with pytest.raises(TypeError):
        taeda.ones(2, dtype=taeda.float8_e5m2)
    with pytest.raises(NotImplementedError, match="complex32"):
        taeda.ones(2).chalf()


@pytest.mark.parametrize("name", ["jit", "fx", "onnx"])
def test_absent_modules_say_why(name):
    module = getattr(taeda, name)
    assert not hasattr(module, "something")
    with pytest.raises(NotImplementedError, match=rf"taeda has no {name}\.something: ."):
        module.something()


def test_old_names_of_autograd():
    assert taeda.autograd.kineto_available() is False
    assert taeda.rand(2, generator=taeda.random.thread_safe_generator()).shape == (2,)

    class Nested(taeda.autograd.NestedIOFunction):
        pass

    for call in (Nested, Nested.apply):
        with pytest.raises(NotImplementedError, match="taeda has no Nested"):
            call()


def test_batch_norm_update_stats_moves_the_averages():
    x = taeda.randn(4, 3, 5, dtype=taeda.float64)
    a, mean, var = x.numpy(), taeda.zeros(3, dtype=taeda.float64), taeda.ones(3, dtype=taeda.float64)
    found = taeda.batch_norm_update_stats(x, mean, var, 0.25)
    numpy.testing.assert_allclose(found[0].numpy(), a.mean((0, 2)))
    numpy.testing.assert_allclose(found[1].numpy(), a.var((0, 2)))
    numpy.testing.assert_allclose(mean.numpy(), 0.25 * a.mean((0, 2)))
    numpy.testing.assert_allclose(var.numpy(), 0.75 + 0.25 * a.var((0, 2), ddof=1))
    with pytest.raises(RuntimeError, match="at least one element"):
        taeda.batch_norm_update_stats(taeda.ones(0, 3), None, None, 0.1)


def test_unknown_names_stay_unknown():
    assert not hasattr(taeda, "no_such_name") and not hasattr(taeda.ops.aten, "no_such_name")
    assert {"FloatTensor", "cond", "fft", "complex32"} <= set(dir(taeda))


def test_switches_remember():
    assert taeda.get_float32_matmul_precision() == "highest"
    taeda.set_deterministic_debug_mode("warn")
    assert taeda.are_deterministic_algorithms_enabled() and taeda.is_deterministic_algorithms_warn_only_enabled()
    taeda.use_deterministic_algorithms(False)
    assert taeda.get_deterministic_debug_mode() == 0
    with pytest.raises(RuntimeError, match="highest"):
        taeda.set_float32_matmul_precision("low")
    assert taeda.set_flush_denormal(True) is False and taeda.get_device(taeda.ones(1)) == -1


def test_control_flow_and_numbers_are_python():
    x = taeda.tensor([1.0, 2.0], requires_grad=True)
    taeda.cond(x.sum() > 0, lambda v: v * 3, lambda v: v, (x,)).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert taeda.sym_max(1, 2.0) == 2.0 and isinstance(taeda.sym_max(3, 2.0), float)
    assert taeda.sym_sum([1, 2]) == 3 and taeda.sym_ite(True, 1, 2) == 1
    assert taeda.compile(abs) is abs and taeda.compile(fullgraph=True)(abs) is abs


def test_futures():
    made, seen = taeda.Future(), []
    made.add_done_callback(lambda done: seen.append(done.value()))
    doubled = made.then(lambda done: 2 * done.value())
    made.set_result(4)
    assert seen == [4] and doubled.wait() == 8 and taeda.wait(taeda.fork(max, 1, 3)) == 3
    with pytest.raises(ZeroDivisionError):
        taeda.fork(lambda: 1 / 0).wait()
    with pytest.raises(RuntimeError, match="only be marked completed once"):
        made.set_result(5)


def test_autocast_can_only_be_off():
    with taeda.autocast("cpu", enabled=False):
        assert not taeda.is_autocast_enabled("cpu")
    with pytest.raises(NotImplementedError, match="taeda has no autocast"), taeda.autocast("cpu"):
        pass
    assert taeda.amp.GradScaler().scale(3.0) == 3.0 and not taeda.cuda.is_available()


def test_python_functions_of_elements():
    x = taeda.arange(6.0).reshape(2, 3)
    assert x.t().apply_(lambda value: value + 1) is not None and x[1].tolist() == [4.0, 5.0, 6.0]
    assert x.map_(taeda.tensor([1.0, 2.0, 3.0]), lambda a, b: a * b)[0].tolist() == [1.0, 4.0, 9.0]
    with pytest.raises(RuntimeError, match="requires grad"):
        taeda.ones(2, requires_grad=True).apply_(abs)


@pytest.mark.parametrize(
    "shape, wrap", [((3, 5), False), ((5, 3), False), ((7, 3), True), ((9, 2), True), ((3, 3, 3), False)]
)
def test_fill_diagonal_equals_numpys(shape, wrap):
    expected = numpy.zeros(shape)
    numpy.fill_diagonal(expected, 2.0, wrap=wrap)
    assert numpy.array_equal(taeda.zeros(shape).fill_diagonal_(2.0, wrap).numpy(), expected)


def test_views_by_hand():
    whole = taeda.arange(10.0)
    part = whole[2:8:2]
    assert taeda.equal(part.resize(3, 1), part.unsqueeze(1)) and part.const_data_ptr() == part.data_ptr()
    assert taeda.Tensor.slice_inverse(whole[0:4], whole, 0, 0, 4).shape == (10,)
    assert taeda.Tensor.set_(taeda.ones(3)).numel() == 0


def test_recurrent_functions_equal_the_modules():
    layer = taeda.nn.LSTM(3, 4, 2, bidirectional=True)
    x, h = taeda.randn(5, 2, 3), (taeda.randn(4, 2, 4), taeda.randn(4, 2, 4))
    output, (hn, cn) = layer(x, h)
    for one, other in zip(
        taeda.lstm(x, h, list(layer.parameters()), True, 2, 0.0, False, True, False), (output, hn, cn), strict=True
    ):
        taeda.testing.assert_close(one, other)
    packed = taeda.nn.utils.rnn.pack_padded_sequence(x, [5, 3])
    given = taeda.lstm(packed.data, packed.batch_sizes, h, list(layer.parameters()), True, 2, 0.0, False, True)
    taeda.testing.assert_close(given[0], layer(packed, h)[0].data)


def test_embedding_bags_tell_where_their_rows_come_from():
    weight, indices, offsets = taeda.randn(10, 3), taeda.tensor([1, 2, 4, 5, 4, 3, 2, 9]), taeda.tensor([0, 4, 8])
    for mode, name in enumerate(("sum", "mean", "max")):
        made, bag, sizes, extra = taeda.embedding_bag(weight, indices, offsets, False, mode)
        taeda.testing.assert_close(made, taeda.nn.functional.embedding_bag(indices, weight, offsets, mode=name))
        assert bag.tolist() == [0] * 4 + [1] * 4 and sizes.tolist() == [4, 4, 0]
    for column in range(3):
        assert weight[extra[0, column], column] == made[0, column]
    assert extra[2].tolist() == [-1, -1, -1]


def test_files_in_memory(tmp_path):
    numpy.arange(6, dtype=numpy.float32).tofile(tmp_path / "numbers")
    read = taeda.from_file(str(tmp_path / "numbers"), size=6)
    assert read.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    read[0] = 9.0
    shared = taeda.from_file(str(tmp_path / "numbers"), shared=True, size=6)
    assert shared[0] == 0.0
    shared[0] = 8.0
    assert numpy.fromfile(tmp_path / "numbers", dtype=numpy.float32)[0] == 8.0
