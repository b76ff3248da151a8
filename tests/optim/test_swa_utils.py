"""Averages of weights."""

import numpy as np
import pytest

import taeda
from taeda import optim
from taeda.optim import swa_utils


def set_weights(model, value):
    with taeda.no_grad():
        for param in model.parameters():
            param.fill_(float(value))


def averaged(values, **options):
    model = taeda.nn.Linear(2, 1)
    average = swa_utils.AveragedModel(model, **options)
    for value in values:
        set_weights(model, value)
        average.update_parameters(model)
    return average


def test_equal_average():
    for options in ({}, {"avg_fn": swa_utils.get_swa_avg_fn()}, {"multi_avg_fn": swa_utils.get_swa_multi_avg_fn()}):
        average = averaged([1, 2, 6], **options)
        np.testing.assert_allclose(average.module.weight.detach().numpy(), 3.0, rtol=1e-6)
        assert average.n_averaged.item() == 3
        assert average(taeda.ones(1, 2)).item() == pytest.approx(9.0)
    assert sorted(average.state_dict()) == ["module.bias", "module.weight", "n_averaged"]


def test_exponential_average():
    for options in ({"avg_fn": swa_utils.get_ema_avg_fn(0.9)}, {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.9)}):
        average = averaged([1, 2, 6], **options)
        expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 6
        np.testing.assert_allclose(average.module.bias.detach().numpy(), expected, rtol=1e-6)


def test_buffers_are_copied_or_averaged():
    for use_buffers, expected in ((False, 4.0), (True, 3.0)):
        model = taeda.nn.BatchNorm1d(1)
        average = swa_utils.AveragedModel(model, use_buffers=use_buffers)
        for value in (2.0, 4.0):
            model.running_mean.fill_(value)
            average.update_parameters(model)
        assert average.module.running_mean.item() == pytest.approx(expected)


def test_update_bn_computes_statistics_of_the_whole_data():
    model = taeda.nn.Sequential(taeda.nn.BatchNorm1d(1)).eval()
    data = [taeda.tensor([[1.0], [3.0]]), (taeda.tensor([[5.0], [7.0]]), "label")]
    swa_utils.update_bn(data, model)
    assert model[0].running_mean.item() == pytest.approx(4.0)
    assert model[0].running_var.item() == pytest.approx(2.0)
    assert model[0].momentum == 0.1 and not model.training


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_swalr_arrives_at_its_rate(strategy):
    optimizer = optim.SGD([taeda.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = swa_utils.SWALR(optimizer, 0.2, anneal_epochs=4, anneal_strategy=strategy)
    found = [1.0]
    for _ in range(6):
        optimizer.step()
        scheduler.step()
        found.append(scheduler.get_last_lr()[0])
    share = np.minimum(np.arange(7) / 4, 1)
    share = (1 - np.cos(np.pi * share)) / 2 if strategy == "cos" else share
    np.testing.assert_allclose(found, 1.0 + (0.2 - 1.0) * share, rtol=1e-9)


def test_bad_arguments():
    model = taeda.nn.Linear(1, 1)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn should be provided"):
        swa_utils.AveragedModel(model, avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    with pytest.raises(ValueError, match="Invalid decay value 2 provided"):
        swa_utils.get_ema_avg_fn(2)
    with pytest.raises(ValueError, match="anneal_strategy must be one of 'cos' or 'linear', instead got up"):
        swa_utils.SWALR(optim.SGD(model.parameters()), 0.1, anneal_strategy="up")
