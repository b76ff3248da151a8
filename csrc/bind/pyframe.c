#include "bind/pyframe.h"

#include <stdint.h>
#include <string.h>

#if PY_VERSION_HEX < 0x030C0000
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#endif

static char g_folder[4096];
static size_t g_folder_length;

void taeda_set_package_folder(const char* folder) {
    strncpy(g_folder, folder, sizeof g_folder - 1);
    g_folder_length = strlen(g_folder);
}

/* Remembers for a few hundred code objects whether they are ours: comparing paths at each operation would cost more than
   the operation. An address that is used again can only make a message name an inner line. */
static int is_ours(PyCodeObject* code) {
    static PyCodeObject* seen[512];
    static char ours[512];
    size_t slot = ((uintptr_t)code >> 5) & 511;
    if (seen[slot] != code) {
        const char* file = PyUnicode_Check(code->co_filename) ? PyUnicode_AsUTF8(code->co_filename) : "";
        if (!file) PyErr_Clear();
        seen[slot] = code;
        ours[slot] = file && g_folder_length && !strncmp(file, g_folder, g_folder_length);
    }
    return ours[slot];
}

#if PY_VERSION_HEX < 0x030C0000
PyObject* taeda_current_code(int* instruction) {
    PyThreadState* state = _PyThreadState_UncheckedGet();
    struct _PyInterpreterFrame* frame = state->cframe->current_frame;
    struct _PyInterpreterFrame* found = NULL;
    for (; frame; frame = frame->previous) {
        if (!found) found = frame;
        if (!is_ours(frame->f_code)) {
            found = frame;
            break;
        }
    }
    if (!found) return NULL;
    *instruction = _PyInterpreterFrame_LASTI(found) * (int)sizeof(_Py_CODEUNIT);
    Py_INCREF(found->f_code);
    return (PyObject*)found->f_code;
}
#else
PyObject* taeda_current_code(int* instruction) {
    PyThreadState* state = PyThreadState_Get();
#if PY_VERSION_HEX < 0x030D0000
    struct _PyInterpreterFrame* frame = state->cframe->current_frame;
#else
    struct _PyInterpreterFrame* frame = state->current_frame;
#endif
    if (!frame) return NULL;
    /* Outer frames are not reachable without materialising them: the innermost line must do where it is the user's. */
    PyObject* code = PyUnstable_InterpreterFrame_GetCode(frame);
    if (!is_ours((PyCodeObject*)code)) {
        *instruction = PyUnstable_InterpreterFrame_GetLasti(frame);
        return code;
    }
    Py_DECREF(code);
    PyFrameObject* object = PyEval_GetFrame();
    Py_XINCREF(object);
    while (object) {
        PyCodeObject* outer = PyFrame_GetCode(object);
        if (!is_ours(outer)) {
            *instruction = PyFrame_GetLasti(object);
            Py_DECREF(object);
            return (PyObject*)outer;
        }
        Py_DECREF(outer);
        PyFrameObject* back = PyFrame_GetBack(object);
        Py_DECREF(object);
        object = back;
    }
    return NULL;
}
#endif
