// The pointwise table as the generator writes it (pointwise_rows.cpp), and what makes rows with addresses out of it.
#pragma once

#include "cpu/pointwise.h"

namespace taeda::cpu {

// Where a loop is: file 0 means that there is none.
struct LoopPlace {
    uint8_t file = 0;
    uint16_t slot = 0;
};

struct RowData {
    const char* name;
    uint8_t n_inputs;
    uint8_t n_attributes;
    TypeRule rule;
    bool bool_as_int;
    uint8_t bool_inputs;
    uint8_t work;
    PointwiseCheck check;
    LoopPlace loops[kComputeTypes];
    uint8_t out_type[kComputeTypes];
};

struct GradData {
    GradKind kind = GradKind::None;
    int8_t unit_attribute = -1;
    uint8_t n_reads = 0;
    uint8_t reads[kMaxPointwiseInputs] = {};
    int16_t row = -1;  // in the table of gradients' rows
};

struct OpData {
    RowData value;
    GradData grads[kMaxPointwiseInputs];
    uint32_t saves_inputs;
    bool saves_result;
};

inline Pointwise make_pointwise(const RowData& data, const Loop* const* files) {
    Pointwise made{};
    made.name = data.name;
    made.n_inputs = data.n_inputs;
    made.n_attributes = data.n_attributes;
    made.rule = data.rule;
    made.bool_as_int = data.bool_as_int;
    made.bool_inputs = data.bool_inputs;
    made.work = data.work;
    made.check = data.check;
    for (int c = 0; c < kComputeTypes; ++c) {
        const LoopPlace& place = data.loops[c];
        made.loops[c] = place.file ? files[place.file - 1][place.slot] : nullptr;
        made.out_type[c] = data.out_type[c];
    }
    return made;
}

inline PointwiseOp make_pointwise_op(const OpData& data, const RowData* grad_rows, const Loop* const* files, int index) {
    PointwiseOp made{};
    made.forward = make_pointwise(data.value, files);
    made.saves_inputs = data.saves_inputs;
    made.saves_result = data.saves_result;
    made.index = index;
    for (int k = 0; k < kMaxPointwiseInputs; ++k) {
        const GradData& grad = data.grads[k];
        made.grads[k].kind = grad.kind;
        made.grads[k].unit_attribute = grad.unit_attribute;
        made.grads[k].n_reads = grad.n_reads;
        for (int j = 0; j < grad.n_reads; ++j) made.grads[k].reads[j] = grad.reads[j];
        if (grad.row >= 0) made.grads[k].loop = make_pointwise(grad_rows[grad.row], files);
    }
    return made;
}

}  // namespace taeda::cpu
