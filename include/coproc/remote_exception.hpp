#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <coproc/detail/config.hpp>

namespace coproc {
namespace detail {

/// What came with an exception from its worker. Shared, so that copying an exception cannot throw.
struct remote_origin {
    std::string type;
    std::string what;
    int worker_pid = 0;
};

} // namespace detail

/**
 * @brief What every exception from a worker is, beside its own type.
 *
 * A mix-in, not derived from std::exception: else `catch (const std::exception&)` would be
 * ambiguous and would not match. So an exception is caught by its own type
 * (`std::invalid_argument`), by `std::exception`, or by this one, and asked with
 * `dynamic_cast<const coproc::remote_exception*>(&e)`.
 *
 * An exception that was nested in it is found by std::rethrow_if_nested, as on one side.
 */
class COPROC_API remote_exception {
public:
    virtual ~remote_exception();

    /// Name of the type that was thrown in the worker, for a person.
    [[nodiscard]] const std::string& type() const noexcept { return origin_->type; }

    /// What what() gave there. Empty if what was thrown does not derive from std::exception.
    [[nodiscard]] const std::string& what_text() const noexcept { return origin_->what; }

    /// Of the process that threw; of a task inside a task, the process that answered this one.
    [[nodiscard]] int worker_pid() const noexcept { return origin_->worker_pid; }

protected:
    explicit remote_exception(std::shared_ptr<const detail::remote_origin> origin) noexcept
        : origin_(std::move(origin)) {}
    // A moved-from exception keeps its origin: asking it must stay harmless.
    remote_exception(const remote_exception&) noexcept = default;
    remote_exception& operator=(const remote_exception&) noexcept = default;

private:
    std::shared_ptr<const detail::remote_origin> origin_;
};

/**
 * @brief An exception of a type that cannot be made here.
 *
 * Standard exceptions, and those of types that were registered (COPROC_EXCEPTION in
 * <coproc/exception.hpp>), arrive as their own type if that is exactly what was thrown. Everything
 * else arrives as a remote_error, also a type that derives from a standard one: an exception is its
 * own type or says plainly that it is not, and never a part of itself. So `catch (const
 * std::runtime_error&)` sees all of these, whatever their base was in the worker, and
 * `catch (const std::logic_error&)` none; type() and what_text() tell what they were.
 */
class COPROC_API remote_error : public std::runtime_error, public remote_exception {
public:
    remote_error(const std::string& text, std::shared_ptr<const detail::remote_origin> origin);
    remote_error(const remote_error&) noexcept = default;
    remote_error& operator=(const remote_error&) noexcept = default;
    ~remote_error() override;
};

namespace detail {

/// An exception of class E from a worker.
template <class E>
class remote : public E, public remote_exception {
public:
    remote(E thrown, std::shared_ptr<const remote_origin> origin)
        : E(std::move(thrown)), remote_exception(std::move(origin)) {}
};
template <std::derived_from<std::exception> E>
class remote<E> : public E, public remote_exception {
public:
    remote(E thrown, std::shared_ptr<const remote_origin> origin)
        : E(std::move(thrown)), remote_exception(std::move(origin)) {}

    /// The text there: most standard types cannot be made with a text of one's choice.
    [[nodiscard]] const char* what() const noexcept override { return what_text().c_str(); }
};

/// The exception, with another one nested in it as by std::throw_with_nested unless that is null.
template <class E>
std::exception_ptr nest(E exception, const std::exception_ptr& nested) {
    if (!nested) {
        return std::make_exception_ptr(std::move(exception));
    }
    try {
        std::rethrow_exception(nested);
    } catch (...) {
        try {
            std::throw_with_nested(std::move(exception));
        } catch (...) {
            return std::current_exception();
        }
    }
}

/// What a caller gets for an exception of type E of a worker: a remote<E>, or the bare exception
/// where nothing can derive from E.
template <class E>
std::exception_ptr make_remote(E exception, std::shared_ptr<const remote_origin> origin,
                               const std::exception_ptr& nested) {
    if constexpr (std::is_final_v<E> || !std::is_class_v<E>) {
        return nest(std::move(exception), nested);
    } else {
        return nest(remote<E>(std::move(exception), std::move(origin)), nested);
    }
}

} // namespace detail
} // namespace coproc
