// Pointwise operations: what the generator writes for each row of src/taeda/ops/pointwise.py, and the executor that runs it.
//
// An inner loop only ever sees contiguous arrays of one compute type. The executor does the rest: promotion, broadcasting,
// strides, conversion of other dtypes (in blocks that stay in the cache), `out=`, threads. So one loop serves every dtype
// that computes in its type: float16 and bfloat16 run the float loop, and the small integers the int64 loop, unless the
// operation has one in their own width (arithmetic that wraps around alike in any width, comparisons, choices).
#pragma once

#include "base/scalar.h"
#include "tensor/tensor.h"

namespace taeda::cpu {

enum ComputeType : uint8_t { kBool, kInt64, kUInt64, kFloat, kDouble, kComplexFloat, kComplexDouble, kInt32, kInt16, kInt8, kUInt8 };
inline constexpr int kComputeTypes = 11;
inline constexpr int kMaxPointwiseInputs = 6;

// The attributes of a call (alpha, beta, min, ...): kernel arguments, so that a new value compiles nothing.
struct Attributes {
    std::complex<double> complex[4];
    double real[4];
    int64_t integer[4];
};

// out[i] = f(in[0][i], in[1][i], ...) for i < n. `out` may be the same array as an input, never a shifted one.
using Loop = void (*)(void* out, const void* const* in, int64_t n, const Attributes& attributes);

// How the compute type and the result's dtype follow from the inputs (the `ints=`/`result=` of a row).
enum class TypeRule : uint8_t {
    Same,       // promote inputs; result in that dtype (add, mul, relu ...)
    ToFloat,    // integers and bool are promoted to the default float type first (sin, div, sigmoid ...)
    ToBool,     // compute in the promoted dtype, result bool (eq, isnan, logical_and ...)
    RealPart,   // Same, but a complex input gives its real type (abs, angle, real ...)
    ToComplex,  // result is the complex type of the promoted float type (complex, polar)
};

struct Operand;
// Rejects operands that the loops would accept (two bools in `sub`), with PyTorch's words, before anything is computed.
using PointwiseCheck = void (*)(std::span<const Operand> operands, const Attributes& attributes);

struct Pointwise {
    const char* name;
    uint8_t n_inputs;
    uint8_t n_attributes;
    TypeRule rule;
    bool bool_as_int;           // bool inputs are promoted to int64 first
    uint8_t bool_inputs;        // bit k: input k is read as bool and takes no part in promotion (where's condition)
    uint8_t work;               // about how many simple operations an element takes
    Loop loops[kComputeTypes];  // null: not implemented for it
    // `out_type[c]`: the compute type in which loops[c] writes its result (kBool for comparisons, kFloat for abs of kComplexFloat).
    uint8_t out_type[kComputeTypes];
    PointwiseCheck check = nullptr;  // called by run_pointwise; null: nothing to reject
};

// The gradient with respect to one input, as a pointwise operation of its own: reads[] says which values it takes.
inline constexpr uint8_t kReadsGrad = 0xff, kReadsResult = 0xfe;  // otherwise: the number of an input
enum class GradKind : uint8_t { None, Zero, PassThrough, Loop };  // None: no gradient by definition (an integer input, say)

struct PointwiseGrad {
    GradKind kind;
    uint8_t n_reads;
    uint8_t reads[kMaxPointwiseInputs];
    Pointwise loop;              // n_inputs == n_reads; computes in the type in which the forward computed
    int8_t unit_attribute = -1;  // not negative: when that attribute is 1, the gradient is g itself (add's alpha)
};

// A row of the pointwise table as the dispatcher sees it. The schema's arguments are the inputs first, then the attributes.
struct PointwiseOp {
    Pointwise forward;
    PointwiseGrad grads[kMaxPointwiseInputs];
    uint32_t saves_inputs;  // bit k: some gradient reads input k
    bool saves_result;      // some gradient reads the result
    int index;              // its place in the table
};
// Generated, in the order of the generator's PointwiseDef.index (pointwise_rows.cpp). The recorded (differentiable) form of
// the gradients is generated too, above the dispatcher: see autograd/compose.h.
const PointwiseOp& pointwise_op(int index);

// An operand is a tensor, or a number that stays an immediate.
struct Operand {
    const Tensor* tensor = nullptr;  // null: the number
    Scalar number;
};

// The dtype in which `operands` meet: PyTorch's promotion with its three categories
// (tensors with dimensions, zero-dim tensors, numbers).
DType promoted_dtype(std::span<const Operand> operands);

struct PointwiseTypes {
    DType common;  // operands are converted to this
    DType result;
    ComputeType compute;
};
PointwiseTypes pointwise_types(const Pointwise& op, std::span<const Operand> operands);

// The broadcast result. `out`, where defined, receives it (in place: the same tensor as an input); its dtype must be
// castable from the result's ("result type Float can't be cast to the desired output type Long"), and an `out` of
// another shape is resized (or an error where in_place).
Tensor run_pointwise(const Pointwise& op, std::span<const Operand> operands, const Attributes& attributes = {}, const Tensor& out = {},
                     bool in_place = false);

}  // namespace taeda::cpu
