// Op: a row of the registry as the core sees it. The rows are generated; nothing here names an operation.
#pragma once

#include <span>

#include "cpu/pointwise.h"
#include "dispatch/value.h"

namespace taeda {

enum class ArgType : uint8_t {
    Tensor,
    TensorList,
    OptionalTensorList,
    Operand,
    Scalar,
    Int,
    IntList,
    Float,
    FloatList,
    Bool,
    Str,
    DType,
    Device,
    Generator,
    MemoryFormat,
};

struct Argument {
    const char* name;
    ArgType type;
    bool optional;  // None is allowed
    bool keyword_only;
    bool has_default;
    int8_t list_size;  // `int[2]`: one int stands for two equal ones; 0: any length
    Value default_value;
};

struct OpNode;
using Kernel = void (*)(const Value* arguments, Value* results);
// Writes the gradient of each tensor argument that `needs` names; one entry per tensor, those of lists in a row.
using VjpFunction = void (*)(const OpNode& node, const TensorList& grads, const std::vector<bool>& needs, TensorList& out);

struct Op {
    const char* name;  // public name
    const char* key;   // "max.dim"
    const char* overload;
    const char* backward_name;  // "MaxBackward1", as PyTorch prints it
    const char* signature;      // the schema's text, for messages
    const char* homes;          // "torch Tensor"
    const char* aliases;        // further names, "absolute"
    const char* doc;
    std::span<const Argument> arguments;
    std::span<const char* const> result_names;
    std::span<const bool> result_is_list;
    uint64_t differentiable_results;  // bit k: result k can require grad
    bool has_inplace;
    bool has_out;
    bool is_view;
    bool is_factory;
    bool writes_input;  // a method such as fill_: its first argument is written and returned
    Kernel kernel;
    Kernel inplace_kernel;     // null: computed, then copied over
    VjpFunction vjp;           // null: no derivative
    uint64_t saved_arguments;  // bit k: argument k (a tensor or list) is needed by vjp
    uint64_t saved_results;
    uint64_t input_arguments;           // bit k: argument k has a gradient in vjp
    const cpu::PointwiseOp* pointwise;  // null: not from the pointwise table
    uint16_t index;
    // How forward mode differentiates a row that is not pointwise: as the transpose of its gradient, or by the operation itself.
    enum class Jvp : uint8_t { ByGradient, Linear, Multilinear, None } jvp = Jvp::ByGradient;
    bool out_casts = false;      // out= may have another dtype than the result
    bool out_apart = false;      // out= may not share memory with an input
    bool numbers_alone = false;  // all operands may be numbers (add, but not pow)
    bool mixes_devices = false;  // asks other tensors for their shape only, or moves between devices
};

std::span<const Op> all_ops();              // generated
const Op& find_op(const std::string& key);  // throws when there is none

// Calls an operation as PyTorch's functional form, recording history where that is due.
void call(const Op& op, Value* arguments, Value* results);
// The same, with the result written over the first argument; results[0] is that tensor.
void call_inplace(const Op& op, Value* arguments, Value* results);
// The same, with results written to `outs` (resized where needed); out= takes no part in autograd.
void call_out(const Op& op, Value* arguments, std::span<const Tensor> outs, Value* results);

// An operation that is composed in the host language has no kernel; the binding layer runs it.
extern void (*g_call_composition)(const Op& op, const Value* arguments, Value* results);

// Note [Wrapped tensors]: some tensors have no data of their own: a slice of a batch under vmap, a sparse matrix. A host object
// stands for it (`TensorImpl::wrapper`), the storage is empty. A call that is given such a tensor never reaches a kernel: `g_intercept`
// computes in its place. That happens below autograd, so history is recorded for wrapped tensors as for all others.
enum class CallForm : uint8_t { Functional, InPlace, Out };
extern void (*g_intercept)(const Op& op, const Value* arguments, std::span<const Tensor> outs, CallForm form, Value* results);
// While above 0, calls that draw random numbers are intercepted too, whatever they are given. Of the calling thread.
extern thread_local int t_intercept_random;

// Forward mode: while dual levels are open, calls are offered to `g_call_dual` first; true: it has done the call, tangents and all.
extern int g_dual_levels;
extern bool (*g_call_dual)(const Op& op, Value* arguments, std::span<const Tensor> outs, CallForm form, Value* results);
// RuntimeError "result type Float can't be cast to the desired output type Long".
void check_castable(const Tensor& from, const Tensor& to);

// What the layers above the kernels do with a call; set by autograd. `before` may throw (in-place on a leaf); it says
// whether history must be recorded, then `after` is called.
struct Recorder {
    bool (*wants)(const Op& op, const Value* arguments) = nullptr;
    void (*check_inplace)(const Op& op, const Value* arguments, bool recorded) = nullptr;
    void (*record)(const Op& op, const Value* arguments, Value* results, bool in_place) = nullptr;
    void (*record_view)(const Op& op, const Value* arguments, Value* results) = nullptr;
    void (*adopt_history)(const Tensor& copy, const Tensor& original) = nullptr;  // `copy` takes the place of `original` in the graph
    bool (*grad_enabled)() = nullptr;
};
extern Recorder g_recorder;

}  // namespace taeda
