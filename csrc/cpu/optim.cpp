// Steps of optimizers: which tensors fit, the numbers of each parameter, and sharing the work out among threads.
#include "cpu/optim.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "cpu/optim_kernels.h"

namespace taeda::cpu {

namespace {

constexpr int kMostOperands = 5;
// Elements that a thread works on at a time. A group of less than two pieces stays in the calling thread.
constexpr int64_t kPiece = 16384;
// From here on others may run Python meanwhile.
constexpr int64_t kLongStep = 65536;

template <class Numbers>
struct Update {
    void* operands[kMostOperands];
    int64_t numel;
    int64_t first_piece;
    UpdateBlock<Numbers> block;
    Numbers numbers;
};

void* data_of(const TensorImpl& t) { return static_cast<char*>(t.storage->data()) + t.offset * static_cast<int64_t>(item_size(t.dtype)); }

bool is_plain(const TensorImpl& t) { return t.storage->device().is_cpu() && t.storage->is_writable() && is_floating(t.dtype); }

// Whether the elements of `t` lie in memory in the same order as those of `param`, without gaps.
bool lies_as(const TensorImpl& t, const TensorImpl& param) {
    if (t.dtype != param.dtype || !t.storage->device().is_cpu() || t.numel != param.numel) return false;
    if (!std::equal(t.sizes.begin(), t.sizes.end(), param.sizes.begin(), param.sizes.end())) return false;
    if (t.is_contiguous && param.is_contiguous) return true;
    return std::equal(t.strides.begin(), t.strides.end(), param.strides.begin(), param.strides.end()) &&
           is_non_overlapping_and_dense(IntList(param.sizes), IntList(param.strides));
}

bool is_step_counter(const TensorImpl& t) {
    return t.numel == 1 && t.dtype == DType::Float32 && t.storage->device().is_cpu() && t.storage->is_writable();
}

// One group's tensors: a column for each operand, an empty one where the optimizer does not need it.
using Columns = std::initializer_list<ImplList>;

bool fits(ImplList params, const Columns& columns, ImplList steps) {
    for (const ImplList& column : columns)
        if (!column.empty() && column.size() != params.size()) return false;
    for (size_t i = 0; i < params.size(); ++i) {
        if (!is_plain(*params[i])) return false;
        for (const ImplList& column : columns)
            if (!column.empty() && !lies_as(*column[i], *params[i])) return false;
    }
    return std::all_of(steps.begin(), steps.end(), [](const TensorImpl* step) { return is_step_counter(*step); });
}

template <class Numbers>
void set_operands(Update<Numbers>& update, const TensorImpl& param, const Columns& columns, size_t i) {
    int k = 0;
    update.operands[k++] = data_of(param);
    for (const ImplList& column : columns) update.operands[k++] = column.empty() ? nullptr : data_of(*column[i]);
    while (k < kMostOperands) update.operands[k++] = nullptr;
    update.numel = param.numel;
}

// Everything but the gradients has been written.
void count_writes(ImplList params, const Columns& columns, ImplList steps) {
    for (TensorImpl* t : params) t->storage->bump_version();
    bool is_gradient = true;
    for (const ImplList& column : columns) {
        if (!is_gradient)
            for (TensorImpl* t : column) t->storage->bump_version();
        is_gradient = false;
    }
    for (TensorImpl* t : steps) t->storage->bump_version();
}

template <class Numbers>
void run(std::vector<Update<Numbers>>& updates) {
    int64_t n_pieces = 0, n_elements = 0;
    for (Update<Numbers>& update : updates) {
        update.first_piece = n_pieces;
        n_pieces += (update.numel + kPiece - 1) / kPiece;
        n_elements += update.numel;
    }
    if (n_elements < 2 * kPiece) {
        for (const Update<Numbers>& update : updates) update.block(update.operands, 0, update.numel, update.numbers);
        return;
    }
    ReleaseHostLock unlocked(n_elements >= kLongStep);
    parallel_for(0, n_pieces, 1, [&](int64_t begin, int64_t end) {
        // The last parameter that starts at or before the piece; one without elements has no piece of its own.
        auto update =
            std::upper_bound(updates.begin(), updates.end(), begin, [](int64_t piece, const Update<Numbers>& u) { return piece < u.first_piece; }) -
            1;
        while (begin < end) {
            int64_t first = (begin - update->first_piece) * kPiece;
            int64_t last = std::min(update->numel, first + (end - begin) * kPiece);
            if (first < last) {
                update->block(update->operands, first, last, update->numbers);
                begin += (last - first + kPiece - 1) / kPiece;
            }
            ++update;
        }
    });
}

float count_step(TensorImpl& step) { return *static_cast<float*>(data_of(step)) += 1.0f; }

}  // namespace

bool sgd_step(ImplList params, ImplList grads, ImplList buffers, std::span<const uint8_t> is_first, const SgdOptions& options) {
    const Columns columns = {grads, buffers};
    if (!fits(params, columns, {})) return false;
    std::vector<Update<SgdNumbers>> updates(params.size());
    for (size_t i = 0; i < params.size(); ++i) {
        set_operands(updates[i], *params[i], columns, i);
        updates[i].block = optim_table().sgd[update_type(params[i]->dtype)];
        updates[i].numbers = {options.maximize ? -1.0 : 1.0,   options.weight_decay, options.momentum,
                              1 - options.dampening,           -options.lr,          !buffers.empty(),
                              !buffers.empty() && is_first[i], options.nesterov};
    }
    run(updates);
    count_writes(params, columns, {});
    return true;
}

bool adam_step(ImplList params, ImplList grads, ImplList means, ImplList squares, ImplList largest, ImplList steps, const AdamOptions& options) {
    const Columns columns = {grads, means, squares, largest};
    if (!fits(params, columns, steps)) return false;
    std::vector<Update<AdamNumbers>> updates(params.size());
    float known_step = 0;
    double correction1 = 1, root_correction2 = 1;
    for (size_t i = 0; i < params.size(); ++i) {
        set_operands(updates[i], *params[i], columns, i);
        updates[i].block = optim_table().adam[update_type(params[i]->dtype)];
        float step = count_step(*steps[i]);
        if (step != known_step) {  // nearly always the same for a whole group
            known_step = step;
            correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
            root_correction2 = std::sqrt(1 - std::pow(options.beta2, static_cast<double>(step)));
        }
        const bool decoupled = options.decoupled_weight_decay;
        updates[i].numbers = {options.maximize ? -1.0 : 1.0,
                              decoupled ? 1 - options.lr * options.weight_decay : 1.0,
                              decoupled ? 0.0 : options.weight_decay,
                              options.beta1,
                              options.beta2,
                              options.eps,
                              root_correction2,
                              -options.lr / correction1};
    }
    run(updates);
    count_writes(params, columns, steps);
    return true;
}

bool rmsprop_step(ImplList params, ImplList grads, ImplList squares, ImplList buffers, ImplList means, ImplList steps,
                  const RmspropOptions& options) {
    const Columns columns = {grads, squares, buffers, means};
    if (!fits(params, columns, steps)) return false;
    std::vector<Update<RmspropNumbers>> updates(params.size());
    for (size_t i = 0; i < params.size(); ++i) {
        set_operands(updates[i], *params[i], columns, i);
        updates[i].block = optim_table().rmsprop[update_type(params[i]->dtype)];
        count_step(*steps[i]);
        updates[i].numbers = {options.maximize ? -1.0 : 1.0, options.weight_decay, options.alpha, options.eps, options.momentum, -options.lr};
    }
    run(updates);
    count_writes(params, columns, steps);
    return true;
}

}  // namespace taeda::cpu
