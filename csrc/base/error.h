// Errors that reach Python as PyTorch's exception types. The message starts with PyTorch's known phrase.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace taeda {

enum class ErrorKind { Runtime, Value, Type, Index, NotImplemented, OutOfMemory };

class Error : public std::exception {
public:
    Error(ErrorKind kind, std::string message) : kind(kind), message(std::move(message)) {}
    const char* what() const noexcept override { return message.c_str(); }

    ErrorKind kind;
    std::string message;
};

template <class... Parts>
std::string concat(const Parts&... parts) {
    std::ostringstream out;
    out << std::boolalpha;
    (out << ... << parts);
    return out.str();
}

template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
    throw Error(kind, concat(parts...));
}

// The condition is what must hold; the parts make the message and are only evaluated on failure.
#define TAEDA_CHECK(condition, ...)                                  \
    do {                                                             \
        if (!(condition)) [[unlikely]]                               \
            ::taeda::fail(::taeda::ErrorKind::Runtime, __VA_ARGS__); \
    } while (0)
#define TAEDA_CHECK_KIND(kind, condition, ...)                    \
    do {                                                          \
        if (!(condition)) [[unlikely]]                            \
            ::taeda::fail(::taeda::ErrorKind::kind, __VA_ARGS__); \
    } while (0)

}  // namespace taeda
