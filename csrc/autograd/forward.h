// Forward mode: tangents, which travel along with the values. Note [Levels] is in forward.cpp.
#pragma once

#include "autograd/record.h"

namespace taeda {

struct Tangent {
    uint64_t level;
    Tensor value;
    uint32_t version;  // of the storage when it was set: what has been written since makes a view's tangent out of date
};

// Levels are numbered in the order of their opening and never used again; those that are open nest.
uint64_t open_dual_level();
void close_dual_level(uint64_t level);  // tangents of that level are gone
uint64_t dual_level(int64_t depth);     // the open level at that depth, -1: the innermost; 0: there is none

Tensor tangent_of(const Tensor& t, uint64_t level);  // undefined: none
void set_tangent(const Tensor& t, uint64_t level, const Tensor& tangent);
uint64_t highest_level(const Tensor& t);  // among the tangents that this thread sees now; 0: none
inline bool has_tangent(const Tensor& t) { return g_dual_levels && t.defined() && t.impl()->autograd && highest_level(t); }

// For an alias of a tensor that stands for it.
void share_tangents(const Tensor& alias, const Tensor& t);
std::shared_ptr<TangentList> shared_tangents(const Tensor& t);

// While one lives, tangents of `level` and above are not seen by this thread.
class LevelGuard {
public:
    explicit LevelGuard(uint64_t level) : outer_(grad_mode().forward_limit) { grad_mode().forward_limit = std::min(outer_, level); }
    ~LevelGuard() { grad_mode().forward_limit = outer_; }
    LevelGuard(const LevelGuard&) = delete;

private:
    uint64_t outer_;
};

// What the rules of forward mode are written with: the result of an operation by its key.
Tensor call_one(const char* key, std::initializer_list<Value> arguments);
// The tangents of an operation's results (undefined where there is none), for those of its inputs at `level`.
TensorList compute_tangents(const Op& op, const Value* arguments, const Value* results, uint64_t level);

void install_forward_mode();

}  // namespace taeda
