// The elements of one step of a recurrent cell. See recurrent_kernels.h.
#include "cpu/recurrent_kernels.h"
#include "cpu/vecmath.h"

namespace taeda::cpu::TAEDA_ISA {

namespace {

template <class T>
struct Recurrent {
    static void lstm(const T* gates, const T* cell, T* hidden, T* new_cell, int64_t n) {
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) {
            const T i = vm_sigmoid(gates[j]), f = vm_sigmoid(gates[n + j]), z = vm_tanh(gates[2 * n + j]), o = vm_sigmoid(gates[3 * n + j]);
            const T c = f * cell[j] + i * z;
            new_cell[j] = c;
            hidden[j] = o * vm_tanh(c);
        }
    }

    static void lstm_backward(const T* g_hidden, const T* g_cell, const T* gates, const T* cell, const T* new_cell, T* g_gates, T* g_old_cell,
                              int64_t n) {
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) {
            const T i = vm_sigmoid(gates[j]), f = vm_sigmoid(gates[n + j]), z = vm_tanh(gates[2 * n + j]), o = vm_sigmoid(gates[3 * n + j]);
            const T t = vm_tanh(new_cell[j]), gh = g_hidden[j], gc = g_cell[j] + gh * o * (1 - t * t);
            g_gates[j] = gc * z * i * (1 - i);
            g_gates[n + j] = gc * cell[j] * f * (1 - f);
            g_gates[2 * n + j] = gc * i * (1 - z * z);
            g_gates[3 * n + j] = gh * t * o * (1 - o);
            g_old_cell[j] = gc * f;
        }
    }

    static void gru(const T* from_input, const T* from_hidden, const T* hidden, T* out, int64_t n) {
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) {
            const T r = vm_sigmoid(from_input[j] + from_hidden[j]), z = vm_sigmoid(from_input[n + j] + from_hidden[n + j]);
            const T candidate = vm_tanh(from_input[2 * n + j] + r * from_hidden[2 * n + j]);
            out[j] = candidate + z * (hidden[j] - candidate);
        }
    }

    static void gru_backward(const T* g, const T* from_input, const T* from_hidden, const T* hidden, T* g_input, T* g_from_hidden, T* g_hidden,
                             int64_t n) {
#pragma GCC ivdep
        for (int64_t j = 0; j < n; ++j) {
            const T r = vm_sigmoid(from_input[j] + from_hidden[j]), z = vm_sigmoid(from_input[n + j] + from_hidden[n + j]);
            const T m = from_hidden[2 * n + j], c = vm_tanh(from_input[2 * n + j] + r * m);
            const T of_candidate = g[j] * (1 - z) * (1 - c * c), of_update = g[j] * (hidden[j] - c) * z * (1 - z);
            const T of_reset = of_candidate * m * r * (1 - r);
            g_input[j] = g_from_hidden[j] = of_reset;
            g_input[n + j] = g_from_hidden[n + j] = of_update;
            g_input[2 * n + j] = of_candidate;
            g_from_hidden[2 * n + j] = of_candidate * r;
            g_hidden[j] = g[j] * z;
        }
    }

    static constexpr RecurrentKernels<T> kernels() { return {lstm, lstm_backward, gru, gru_backward}; }
};

}  // namespace

extern const RecurrentTable recurrent_table;
constinit const RecurrentTable recurrent_table = {Recurrent<float>::kernels(), Recurrent<double>::kernels()};

}  // namespace taeda::cpu::TAEDA_ISA
