// A task's exception as bytes, and back.
#include <muster/detail/call.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <typeinfo>

namespace muster::detail {
namespace {

std::string type_name(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
    return status == 0 ? text.get() : type.name();
}

Errc fitting(const std::exception& error) noexcept {
    if (dynamic_cast<const std::bad_alloc*>(&error)) return Errc::out_of_memory;
    if (dynamic_cast<const std::out_of_range*>(&error)) return Errc::index_error;
    if (dynamic_cast<const std::invalid_argument*>(&error)) return Errc::invalid_argument;
    if (dynamic_cast<const std::length_error*>(&error)) return Errc::limit_exceeded;
    if (dynamic_cast<const std::domain_error*>(&error) || dynamic_cast<const std::range_error*>(&error) ||
        dynamic_cast<const std::overflow_error*>(&error) || dynamic_cast<const std::underflow_error*>(&error))
        return Errc::value_error;
    if (dynamic_cast<const std::system_error*>(&error)) return Errc::system;
    return Errc::task_failed;
}

void write_fields(Writer& out, Errc code, std::string_view operation, std::string_view subject, std::string_view detail) {
    out.begin_array(4);
    out.integer(static_cast<int>(code));
    out.string(operation);
    out.string(subject);
    out.string(detail);
    out.end();
    out.end();  // of the outcome
}

}  // namespace

void write_current_error(Writer& out) {
    try {
        throw;
    } catch (const Error& error) {
        write_fields(out, error.errc(), error.operation(), error.subject(), error.detail());
    } catch (const std::exception& error) {
        write_fields(out, fitting(error), "run", "task", type_name(typeid(error)) + ": " + error.what());
    } catch (...) {
        const std::type_info* const type = abi::__cxa_current_exception_type();
        write_fields(out, Errc::task_failed, "run", "task", type != nullptr ? type_name(*type) : "an unknown exception");
    }
}

void throw_error_of(Reader& in) {
    in.begin_array_of(4);
    const auto code = static_cast<Errc>(in.integer<int>());
    std::string operation(in.string()), subject(in.string());
    std::string detail(in.string());
    in.end();
    in.end();
    throw Error(code, std::move(operation), std::move(subject), std::move(detail));
}

void throw_not_encoded() { throw Error(Errc::invalid_argument, "take", "task", "its outcome is no bytes"); }

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& known) {
        return known.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace muster::detail
