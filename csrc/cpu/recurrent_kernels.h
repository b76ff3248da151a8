// The elements of one step of a recurrent cell.
#pragma once

#include <cstdint>

#include "cpu/isa.h"

namespace taeda::cpu {

template <class T>
struct RecurrentKernels {
    // One row: `gates` holds the input, forget, candidate and output gates, n each, before their activations.
    void (*lstm)(const T* gates, const T* cell, T* hidden, T* new_cell, int64_t n);
    void (*lstm_backward)(const T* g_hidden, const T* g_cell, const T* gates, const T* cell, const T* new_cell, T* g_gates, T* g_old_cell, int64_t n);
    // One row: the reset, update and candidate parts, n each, from the input and from the hidden state.
    void (*gru)(const T* from_input, const T* from_hidden, const T* hidden, T* out, int64_t n);
    void (*gru_backward)(const T* g, const T* from_input, const T* from_hidden, const T* hidden, T* g_input, T* g_from_hidden, T* g_hidden,
                         int64_t n);
};

struct RecurrentTable {
    RecurrentKernels<float> of_float;
    RecurrentKernels<double> of_double;
};
TAEDA_DECLARE_ISA(RecurrentTable, recurrent_table)

}  // namespace taeda::cpu
