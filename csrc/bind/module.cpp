// The extension module taeda._C.
#include "bind/python.h"

namespace taeda::bind {
void init_generator(nb::module_& m);
void init_optim(nb::module_& m);
void init_intercept(nb::module_& m);
void init_overrides(nb::module_& m);
}  // namespace taeda::bind

NB_MODULE(_C, m) {
    using namespace taeda::bind;
    nb::set_leak_warnings(false);  // dtypes and operation objects live as long as the process
    nb::register_exception_translator([](const std::exception_ptr& error, void*) {
        try {
            std::rethrow_exception(error);
        } catch (const taeda::Error&) {
            set_python_error();
        }
    });
    init_types(m);
    init_tensor_type(m);
    init_config(m);
    init_generator(m);
    init_data(m);
    init_autograd(m);
    init_function(m);
    init_ops(m);
    init_optim(m);
    init_intercept(m);
    init_overrides(m);
}
