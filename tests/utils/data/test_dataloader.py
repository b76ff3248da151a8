"""The loader without worker processes: options, order, random numbers, and batches taken from tensors at once."""

import pytest

import taeda
from taeda.utils import data


def tensors(n=10):
    return taeda.arange(2.0 * n).reshape(n, 2), taeda.arange(n)


class Rows(data.Dataset):
    """A data set that the in-memory path does not know, with the same samples as a TensorDataset."""

    def __init__(self, *columns):
        self.columns = columns

    def __len__(self):
        return len(self.columns[0])

    def __getitem__(self, index):
        return tuple(column[index] for column in self.columns)


class Stream(data.IterableDataset):
    def __init__(self, n=5, stated=None):
        self.n, self.stated = n, stated

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.stated


def values(loader):
    return [[item.tolist() for item in batch] for batch in loader]


# ---- what a batch is


def test_batches_in_order():
    x, y = tensors(5)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=2)
    batches = list(loader)
    assert len(loader) == 3 and all(type(batch) is list for batch in batches)
    assert [batch[1].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[2][0].tolist() == [[8.0, 9.0]]
    assert values(data.DataLoader(data.TensorDataset(y), batch_size=2, drop_last=True)) == [[[0, 1]], [[2, 3]]]


def test_without_batching():
    samples = list(data.DataLoader(data.TensorDataset(*tensors(3)), batch_size=None))
    assert [sample[1].item() for sample in samples] == [0, 1, 2]
    assert list(data.DataLoader([1, "a", None], batch_size=None)) == [1, "a", None]


def test_collate_fn_and_plain_lists():
    assert list(data.DataLoader("abc", batch_size=2, collate_fn="".join)) == ["ab", "c"]
    assert [batch.tolist() for batch in data.DataLoader([1, 2, 3], batch_size=2)] == [[1, 2], [3]]


def test_getitems_is_used():
    class Bulk(data.Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [index * 10 for index in indices]

    assert [batch.tolist() for batch in data.DataLoader(Bulk(), batch_size=3)] == [[0, 10, 20], [30]]


def test_streams():
    assert [batch.tolist() for batch in data.DataLoader(Stream(), batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in data.DataLoader(Stream(), batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(data.DataLoader(Stream(), batch_size=None)) == [0, 1, 2, 3, 4]
    assert len(data.DataLoader(Stream(5, 5), batch_size=2)) == 3
    loader = data.DataLoader(Stream(3, 2), batch_size=1)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="was reported to be 2\\(when accessing len\\(dataloader\\)\\), but 3 samples"):
        list(loader)


# ---- random numbers. The constants were printed by torch.utils.data.DataLoader over arange(10), batch_size=4.

BOTH = pytest.mark.parametrize("dataset_class", [data.TensorDataset, Rows])


@BOTH
def test_shuffling_draws_pytorchs_numbers(dataset_class):
    taeda.manual_seed(0)
    loader = data.DataLoader(dataset_class(taeda.arange(10)), batch_size=4, shuffle=True)
    assert values(loader) == [[[6, 7, 1, 4]], [[2, 0, 9, 8]], [[3, 5]]]
    assert values(loader) == [[[2, 4, 7, 0]], [[8, 9, 5, 3]], [[6, 1]]]
    assert taeda.rand(1).item() == 0.455627977848053


@BOTH
def test_iterating_in_order_draws_one_seed_each_time(dataset_class):
    taeda.manual_seed(0)
    loader = data.DataLoader(dataset_class(taeda.arange(10)), batch_size=4)
    assert values(loader) == values(loader) == [[[0, 1, 2, 3]], [[4, 5, 6, 7]], [[8, 9]]]
    assert taeda.rand(1).item() == 0.30742281675338745


@BOTH
def test_shuffling_with_a_generator(dataset_class):
    generator = taeda.Generator().manual_seed(7)
    taeda.manual_seed(0)
    loader = data.DataLoader(dataset_class(taeda.arange(10)), batch_size=4, shuffle=True, generator=generator)
    assert values(loader) == [[[1, 3, 5, 7]], [[9, 4, 6, 2]], [[8, 0]]]
    assert values(loader) == [[[5, 1, 6, 0]], [[9, 7, 8, 4]], [[3, 2]]]
    assert taeda.rand(1).item() == 0.49625658988952637
    assert taeda.rand(1, generator=generator).item() == 0.7405239939689636


# ---- batches taken from tensors at once


def loaders(dataset, **options):
    """The options' loader, and one over the same samples that has to fetch them one by one."""
    return data.DataLoader(dataset, **options), data.DataLoader(data.ConcatDataset([dataset]), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 3},
        {"batch_size": 3, "drop_last": True},
        {"batch_size": 100},
        {"batch_size": 3, "shuffle": True},
        {"batch_size": 3, "shuffle": True, "drop_last": True},
        {"batch_size": 2, "sampler": [5, -1, 0, 3, 3]},
        {"batch_size": 2, "sampler": data.SubsetRandomSampler([1, 4, 2])},
        {"batch_size": 2, "sampler": data.WeightedRandomSampler([1.0] * 7, 5)},
        {"batch_sampler": [[0, 6], [], [2, 2, 2]][::2]},
    ],
)
@pytest.mark.parametrize(
    "make", [lambda d: d, lambda d: data.Subset(d, [9, 3, -2, 5, 1, 0, 7]), lambda d: data.random_split(d, [7, 3])[0]]
)
def test_in_memory_batches_equal_fetched_ones(make, options):
    x, y = tensors()
    taeda.manual_seed(1)
    dataset = make(data.TensorDataset(x, y, x.to(taeda.bfloat16).reshape(10, 2, 1), x.t().contiguous().t()))
    found = []
    for loader in loaders(dataset, **options):
        taeda.manual_seed(5)
        batches = list(loader)
        found.append(
            ([[(item.tolist(), item.dtype, item.shape) for item in batch] for batch in batches], taeda.rand(1).item())
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("shuffle", [False, True])
def test_in_memory_batches_are_new_tensors(shuffle):
    x, y = tensors()
    for batch in data.DataLoader(data.TensorDataset(x, y), batch_size=4, shuffle=shuffle):
        for item in batch:
            item.fill_(-1)
    assert x.min().item() == 0.0 and y.tolist() == list(range(10))


def test_in_memory_batches_carry_gradients():
    x = taeda.ones(4, 2, requires_grad=True)
    for batch in data.DataLoader(data.TensorDataset(x), batch_size=2, shuffle=True):
        (batch[0] * 3).sum().backward()
    assert x.grad.tolist() == [[3.0, 3.0]] * 4


def test_a_subclass_of_tensor_dataset_keeps_its_own_samples():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return tuple(item * 2 for item in super().__getitem__(index))

    assert values(data.DataLoader(Doubled(taeda.arange(3)), batch_size=2)) == [[[0, 2]], [[4]]]


def test_rows_that_do_not_exist():
    dataset = data.TensorDataset(*tensors(3))
    for loader in loaders(dataset, batch_size=2, sampler=[0, 3]):
        with pytest.raises(IndexError):
            list(loader)


def test_the_order_is_drawn_when_the_first_batch_is_asked_for():
    found = []
    for loader in loaders(data.TensorDataset(taeda.arange(10)), batch_size=10, shuffle=True):
        taeda.manual_seed(0)
        iterator = iter(loader)
        between = taeda.rand(1).item()
        found.append((between, next(iterator)[0].tolist()))
        assert len(iterator) == 1 and iter(iterator) is iterator
        with pytest.raises(StopIteration):
            next(iterator)
    assert found[0] == found[1]


# ---- options


def test_attributes_that_are_fixed():
    loader = data.DataLoader([1, 2], batch_size=2)
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 3
    loader.num_workers = 0
    assert loader.sampler.__class__ is data.SequentialSampler and loader.batch_sampler.batch_size == 2


def test_pinned_memory_does_nothing_without_an_accelerator():
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true but no accelerator is found"):
        list(data.DataLoader([1], pin_memory=True))


@pytest.mark.parametrize(
    ("options", "error", "phrase"),
    [
        ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified in multiprocessing."),
        ({"num_workers": 1, "prefetch_factor": -1}, ValueError, "prefetch_factor option should be non-negative"),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [0], "shuffle": True}, ValueError, "sampler option is mutually exclusive with shuffle"),
        (
            {"batch_sampler": [[0]], "batch_size": 2},
            ValueError,
            "batch_sampler option is mutually exclusive with batch_size",
        ),
        (
            {"batch_sampler": [[0]], "drop_last": True},
            ValueError,
            "batch_sampler option is mutually exclusive with batch_size",
        ),
        ({"batch_size": None, "drop_last": True}, ValueError, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, ValueError, "batch_size should be a positive integer value, but got batch_size=0"),
        (
            {"multiprocessing_context": "fork"},
            ValueError,
            "multiprocessing_context can only be used with multi-process loading",
        ),
        (
            {"num_workers": 1, "multiprocessing_context": "x"},
            ValueError,
            "multiprocessing_context option should specify a valid start",
        ),
        (
            {"num_workers": 1, "multiprocessing_context": 3},
            TypeError,
            "multiprocessing_context option should be a valid context",
        ),
    ],
)
def test_bad_options(options, error, phrase):
    with pytest.raises(error) as raised:
        data.DataLoader([1, 2], **options)
    assert str(raised.value).startswith(phrase)


@pytest.mark.parametrize("option", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_options_that_a_stream_cannot_have(option):
    (name,) = option
    with pytest.raises(
        ValueError, match=f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}="
    ):
        data.DataLoader(Stream(), **option)
