"""The commonest mistakes: each raises PyTorch's exception with its known phrase, and says what was given.

Programs match on the phrases. `values` are what the message has to name besides: shapes, indices, dtypes, names.
"""

from __future__ import annotations

import pytest

import taeda as torch
from taeda import nn
from taeda.nn import functional as F
from taeda.utils.data import DataLoader, TensorDataset

MISTAKES = []


def mistake(error, phrase, *values):
    """Add a function that makes a mistake; it raises `error` whose text has `phrase` and all of `values`."""

    def register(function):
        MISTAKES.append(pytest.param(function, error, phrase, values, id=function.__name__))
        return function

    return register


@pytest.mark.parametrize("make, error, phrase, values", MISTAKES)
def test_mistake(make, error, phrase, values):
    with pytest.raises(error) as caught:
        make()
    text = str(caught.value)
    assert phrase in text
    assert [value for value in values if value not in text] == []


def leaf(*shape):
    return torch.ones(*shape, requires_grad=True)


# ---- shapes


@mistake(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", "3", "4")
def product_of_matrices_that_do_not_fit():
    torch.ones(2, 3) @ torch.ones(4, 5)


@mistake(RuntimeError, "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)")
def linear_layer_of_another_width():
    nn.Linear(4, 5)(torch.ones(2, 3))


@mistake(
    RuntimeError,
    "inconsistent tensor size, expected tensor [3] and src [4] to have the same number of elements",
    "3",
    "4",
)
def dot_product_of_other_lengths():
    torch.dot(torch.ones(3), torch.ones(4))


@mistake(RuntimeError, "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: [2, 5].")
def batches_of_matrices_that_do_not_fit():
    torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 5, 6))


@mistake(RuntimeError, "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1")
def sum_of_shapes_that_do_not_broadcast():
    torch.ones(2, 3) + torch.ones(2, 4)


@mistake(
    RuntimeError,
    "Given groups=1, weight of size [8, 3, 3, 3], expected input[1, 1, 28, 28] to have 3 channels, but got 1 channels instead",
)
def convolution_of_another_number_of_channels():
    nn.Conv2d(3, 8, 3)(torch.ones(1, 1, 28, 28))


@mistake(RuntimeError, "Kernel size can't be greater than actual input size", "(5 x 5)", "(3 x 3)")
def convolution_with_a_kernel_larger_than_the_image():
    F.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 5, 5))


@mistake(RuntimeError, "Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: [28, 28]")
def convolution_of_an_image_without_channels():
    nn.Conv2d(1, 8, 3)(torch.ones(28, 28))


@mistake(
    RuntimeError,
    "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 4 for tensor number 1",
)
def joining_tensors_of_other_widths():
    torch.cat([torch.ones(2, 3), torch.ones(2, 4)])


@mistake(RuntimeError, "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [2, 4] at entry 1")
def stacking_tensors_of_other_shapes():
    torch.stack([torch.ones(2, 3), torch.ones(2, 4)])


@mistake(RuntimeError, "shape '[4, 2]' is invalid for input of size 6")
def view_of_another_number_of_elements():
    torch.ones(2, 3).view(4, 2)


@mistake(RuntimeError, "shape '[5, -1]' is invalid for input of size 6")
def reshape_that_does_not_divide():
    torch.ones(2, 3).reshape(5, -1)


@mistake(RuntimeError, "view size is not compatible with input tensor's size and stride", "Use .reshape(...) instead")
def view_of_a_transposed_matrix():
    torch.ones(2, 3).t().view(6)


@mistake(RuntimeError, "only one dimension can be inferred")
def two_inferred_sizes():
    torch.ones(6).view(-1, -1)


@mistake(
    RuntimeError,
    "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 0",
    "[4]",
    "[3]",
)
def expanding_what_is_not_one():
    torch.ones(3).expand(4)


@mistake(IndexError, "Dimension out of range (expected to be in range of [-2, 1], but got 2)")
def sum_over_a_dimension_that_is_not_there():
    torch.ones(2, 3).sum(2)


@mistake(RuntimeError, "dim 0 appears multiple times in the list of dims")
def sum_over_a_dimension_twice():
    torch.ones(2, 3).sum((0, 0))


@mistake(
    RuntimeError,
    "number of dimensions in the tensor input does not match the length of the desired ordering of dimensions",
)
def permutation_of_too_few_dimensions():
    torch.ones(2, 3, 4).permute(0, 1)


@mistake(RuntimeError, "Given normalized_shape=[4], expected input with shape [*, 4], but got input of size[2, 3]")
def layer_norm_of_another_width():
    nn.LayerNorm(4)(torch.ones(2, 3))


@mistake(ValueError, "Expected more than 1 value per channel when training", "[1, 3]")
def batch_norm_of_one_sample():
    nn.BatchNorm1d(3)(torch.ones(1, 3))


@mistake(ValueError, "expected 4D input (got 2D input)")
def batch_norm_of_images_given_vectors():
    nn.BatchNorm2d(3)(torch.ones(2, 3))


# ---- labels and indices


@mistake(IndexError, "Target 3 is out of bounds.")
def label_out_of_range():
    F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 3]))


@mistake(ValueError, "Expected input batch_size (2) to match target batch_size (3).")
def another_number_of_labels():
    F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1, 2]))


@mistake(RuntimeError, "expected target dtype to be Long or Byte, but got Int", "[2]")
def labels_of_another_integer_type():
    F.cross_entropy(torch.zeros(2, 3), torch.tensor([0, 1], dtype=torch.int32))


@mistake(ValueError, "Using a target size (torch.Size([2])) that is different to the input size (torch.Size([2, 1]))")
def targets_of_another_shape():
    F.binary_cross_entropy(torch.full((2, 1), 0.5), torch.ones(2))


@mistake(RuntimeError, "all elements of input should be between 0 and 1")
def probabilities_out_of_range():
    F.binary_cross_entropy(torch.tensor([1.5]), torch.tensor([1.0]))


@mistake(IndexError, "index out of range in self")
def word_that_is_not_in_the_embedding():
    nn.Embedding(10, 3)(torch.tensor([10]))


@mistake(IndexError, "index 3 is out of bounds for dimension 0 with size 3")
def index_past_the_end():
    torch.ones(3)[3]


@mistake(IndexError, "index 5 is out of bounds for dimension 0 with size 3")
def index_tensor_past_the_end():
    torch.ones(3)[torch.tensor([0, 5])]


@mistake(IndexError, "too many indices for tensor of dimension 1")
def too_many_indices():
    torch.ones(3)[0, 0]


@mistake(
    IndexError, "The shape of the mask [2] at index 0 does not match the shape of the indexed tensor [3] at index 0"
)
def mask_of_another_length():
    torch.ones(3)[torch.tensor([True, False])]


@mistake(IndexError, "tensors used as indices must be long, int, byte or bool tensors")
def index_of_floats():
    torch.ones(3)[torch.tensor([0.0, 1.0])]


@mistake(RuntimeError, "gather(): Expected dtype int32/int64 for index", "float32")
def gather_with_floats():
    torch.gather(torch.ones(2, 3), 1, torch.zeros(2, 1))


@mistake(RuntimeError, "index 7 is out of bounds for dimension 1 with size 3")
def gather_past_the_end():
    torch.gather(torch.ones(2, 3), 1, torch.full((2, 1), 7))


@mistake(RuntimeError, "selected index k out of range")
def more_largest_than_there_are():
    torch.ones(3).topk(5)


# ---- dtypes and devices


@mistake(RuntimeError, "expected m1 and m2 to have the same dtype, but got: float != double")
def product_of_other_dtypes():
    torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64)


@mistake(RuntimeError, "mat1 and mat2 must have the same dtype, but got Double and Float")
def linear_layer_given_doubles():
    nn.Linear(3, 2)(torch.ones(2, 3, dtype=torch.float64))


@mistake(RuntimeError, "result type Float can't be cast to the desired output type Long")
def adding_a_fraction_to_integers_in_place():
    torch.ones(3, dtype=torch.int64).add_(0.5)


@mistake(
    RuntimeError,
    "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long",
)
def mean_of_integers():
    torch.ones(3, dtype=torch.int64).mean()


@mistake(RuntimeError, "nly Tensors of floating point and complex dtype can require gradients", "int64")
def gradients_of_integers():
    torch.ones(3, dtype=torch.int64, requires_grad=True)


@mistake(RuntimeError, "Expected all tensors to be on the same device", "meta", "cpu")
def operands_on_two_devices():
    torch.ones(3) + torch.ones(3, device="meta")


@mistake(RuntimeError, "Expected one of cpu", "gpu")
def device_that_does_not_exist():
    torch.ones(3, device="gpu")


@mistake(RuntimeError, "Subtraction, the `-` operator, with a bool tensor is not supported")
def negating_a_mask_with_minus():
    1 - torch.tensor([True, False])


@mistake(ValueError, "expected sequence of length 2 at dim 1 (got 1)")
def rows_of_other_lengths():
    torch.tensor([[1, 2], [3]])


@mistake(TypeError, "unsupported operand type(s) for +", "Tensor", "str")
def tensor_plus_text():
    torch.ones(3) + "1"


@mistake(TypeError, "relu() got an unexpected keyword argument 'inplce'")
def misspelled_keyword():
    torch.relu(torch.ones(3), inplce=True)


# ---- gradients


@mistake(RuntimeError, "a leaf Variable that requires grad is being used in an in-place operation.")
def writing_into_a_leaf():
    leaf(3).add_(1)


@mistake(
    RuntimeError,
    "one of the variables needed for gradient computation has been modified by an inplace operation",
    "[3]",
    "version 1",
    "expected version 0",
)
def writing_into_a_saved_tensor():
    y = leaf(3).exp()
    z = y.sum()
    y.add_(1)
    z.backward()


@mistake(RuntimeError, "Trying to backward through the graph a second time", "retain_graph=True")
def backward_twice():
    loss = (leaf(3) ** 2).sum()
    loss.backward()
    loss.backward()


@mistake(RuntimeError, "grad can be implicitly created only for scalar outputs", "(3,)")
def backward_of_a_vector():
    (leaf(3) * 2).backward()


@mistake(RuntimeError, "element 0 of tensors does not require grad and does not have a grad_fn")
def backward_without_anything_to_train():
    torch.ones(3).sum().backward()


@mistake(
    RuntimeError,
    "The differentiated Tensor at index 0 appears to not have been used in the graph. Set allow_unused=True",
    "(3,)",
)
def gradient_of_what_was_not_used():
    torch.autograd.grad(leaf(3).sum(), leaf(3))


@mistake(RuntimeError, "Mismatch in shape: grad_output[0] has a shape of torch.Size([2])", "torch.Size([3])")
def seed_of_another_shape():
    (leaf(3) * 2).backward(torch.ones(2))


@mistake(RuntimeError, "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
def numpy_of_a_tensor_with_history():
    leaf(3).numpy()


@mistake(RuntimeError, "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol")
def deepcopy_of_a_result():
    import copy

    copy.deepcopy(leaf(3) * 2)


@mistake(RuntimeError, "you can only change requires_grad flags of leaf variables.")
def freezing_a_result():
    (leaf(3) * 2).requires_grad_(False)


# ---- values


@mistake(RuntimeError, "a Tensor with 3 elements cannot be converted to Scalar")
def item_of_many():
    torch.ones(3).item()


@mistake(RuntimeError, "Boolean value of Tensor with more than one value is ambiguous")
def truth_of_many():
    bool(torch.ones(3) > 0)


@mistake(TypeError, "only integer tensors of a single element can be converted to an index")
def range_over_a_float_tensor():
    range(torch.tensor(2.5))


@mistake(RuntimeError, "max(): Expected reduction dim to be specified for input.numel() == 0")
def largest_of_nothing():
    torch.ones(0).max()


@mistake(IndexError, "argmax(): Expected reduction dim 0 to have non-zero size.")
def place_of_the_largest_of_nothing():
    torch.ones(0, 3).argmax(0)


@mistake(RuntimeError, "probability tensor contains either `inf`, `nan` or element < 0")
def drawing_with_negative_probabilities():
    torch.multinomial(torch.tensor([-1.0, 2.0]), 1)


@mistake(ValueError, "expected a non-empty list of Tensors")
def joining_nothing():
    torch.cat([])


@mistake(TypeError, "iteration over a 0-d tensor")
def iterating_over_a_number():
    list(torch.tensor(1.0))


# ---- modules, optimizers, data


@mistake(RuntimeError, "Error(s) in loading state_dict for Linear:", 'Missing key(s) in state_dict: "bias"')
def state_with_a_missing_key():
    nn.Linear(3, 2).load_state_dict({"weight": torch.ones(2, 3)})


@mistake(
    RuntimeError,
    "size mismatch for weight: copying a param with shape torch.Size([2, 4]) from checkpoint, "
    "the shape in current model is torch.Size([2, 3]).",
)
def state_of_another_shape():
    nn.Linear(3, 2).load_state_dict({"weight": torch.ones(2, 4), "bias": torch.ones(2)})


@mistake(RuntimeError, 'Unexpected key(s) in state_dict: "scale"')
def state_with_a_key_too_many():
    nn.Linear(3, 2).load_state_dict({"weight": torch.ones(2, 3), "bias": torch.ones(2), "scale": torch.ones(1)})


@mistake(AttributeError, "cannot assign module before Module.__init__() call")
def module_without_super():
    class Model(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 2)

    Model()


@mistake(NotImplementedError, 'Module [Model] is missing the required "forward" function')
def module_without_forward():
    class Model(nn.Module):
        pass

    Model()(1)


@mistake(AttributeError, "'Linear' object has no attribute 'wieght'")
def misspelled_attribute():
    nn.Linear(2, 2).wieght  # noqa: B018


@mistake(TypeError, "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)")
def tensor_in_place_of_a_parameter():
    nn.Linear(2, 2).weight = torch.ones(2, 2)


@mistake(ValueError, "optimizer got an empty parameter list")
def optimizer_of_nothing():
    torch.optim.SGD([], lr=0.1)


@mistake(TypeError, "params argument given to the optimizer should be an iterable of Tensors or dicts")
def optimizer_of_one_tensor():
    torch.optim.SGD(leaf(3), lr=0.1)


@mistake(ValueError, "can't optimize a non-leaf Tensor")
def optimizer_of_a_result():
    torch.optim.SGD([leaf(3) * 2], lr=0.1)


@mistake(ValueError, "Invalid learning rate: -0.1")
def negative_learning_rate():
    torch.optim.SGD([leaf(3)], lr=-0.1)


@mistake(ValueError, "dropout probability has to be between 0 and 1, but got 1.5")
def impossible_dropout():
    nn.Dropout(1.5)


@mistake(AssertionError, "Size mismatch between tensors")
def dataset_of_other_lengths():
    TensorDataset(torch.ones(3), torch.ones(4))


@mistake(ValueError, "batch_size should be a positive integer value, but got batch_size=0")
def batches_of_nothing():
    DataLoader(TensorDataset(torch.ones(3)), batch_size=0)


@mistake(ValueError, "sampler option is mutually exclusive with shuffle")
def sampler_and_shuffle():
    DataLoader(TensorDataset(torch.ones(3)), shuffle=True, sampler=[0, 1, 2])


@mistake(RuntimeError, "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1")
def samples_of_other_lengths():
    list(DataLoader([torch.ones(2), torch.ones(3)], batch_size=2))


@mistake(
    TypeError, "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found", "NoneType"
)
def samples_of_nothing():
    list(DataLoader([None, None], batch_size=2))


@mistake(ValueError, "num_samples should be a positive integer value, but got num_samples=0")
def shuffling_an_empty_dataset():
    DataLoader(TensorDataset(torch.ones(0)), shuffle=True)


@mistake(FileNotFoundError, "No such file or directory", "there_is_no_such_file.pt")
def loading_a_file_that_is_not_there():
    torch.load("there_is_no_such_file.pt")
