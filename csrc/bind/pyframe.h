/* Which line of the user's program is running. The only place that knows CPython's frames. */
#pragma once

#include <Python.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The code object (a new reference) and the instruction offset of the innermost frame outside the package; NULL: none. */
PyObject* taeda_current_code(int* instruction);
/* Files below this folder are the package's own. */
void taeda_set_package_folder(const char* folder);

#ifdef __cplusplus
}
#endif
