#pragma once

// Exception types of users that arrive as what they were.

#include <coproc/codec.hpp>
#include <coproc/detail/verdict.hpp>
#include <coproc/remote_exception.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>

namespace coproc::detail {

/// A type that was registered: how its objects travel. A list without owner, so that it can be used
/// before main and after it.
struct exception_type {
    const std::type_info* type;
    /// Writes the state. False: what was thrown is of another type.
    bool (*encode)(const std::exception_ptr& thrown, encoder& out);
    std::exception_ptr (*decode)(decoder& in, std::shared_ptr<const remote_origin> origin,
                                 const std::exception_ptr& nested);
    exception_type* next = nullptr;
};

COPROC_API void add_exception_type(exception_type& added) noexcept;
COPROC_API void remove_exception_type(exception_type& removed) noexcept;

/// Its codec carries its state.
template <class E>
concept exception_with_codec = decltype(examine<E>())::reason == refusal::none;

/// what() is all there is to it, as its constructor says.
template <class E>
concept exception_of_text =
    std::derived_from<E, std::exception> && std::constructible_from<E, const std::string&>;

/// There is nothing to it but its type.
template <class E>
concept exception_without_state = std::derived_from<E, std::exception> &&
                                  std::default_initializable<E> &&
                                  sizeof(E) == sizeof(std::exception);

/// Brings objects of type E from workers as long as it exists.
template <class E>
class exception_registration {
public:
    static_assert(std::is_object_v<E> && !std::is_const_v<E>, "the type of an exception object");
    static_assert(!std::derived_from<E, remote_exception>,
                  "register the type that is thrown in workers; remote_exception is added to it");
    static_assert(
        std::copy_constructible<E>,
        "an exception type that is registered is copied: std::exception_ptr holds a copy");
    static_assert(exception_with_codec<E> || exception_of_text<E> || exception_without_state<E>,
                  "an exception type that is registered needs a codec for its state "
                  "(coproc::codec<E>), or a constructor from std::string and std::exception as a "
                  "base: then it is made of its what()");

    exception_registration() noexcept { add_exception_type(entry_); }
    exception_registration(const exception_registration&) = delete;
    exception_registration& operator=(const exception_registration&) = delete;
    ~exception_registration() { remove_exception_type(entry_); }

private:
    static bool encode(const std::exception_ptr& thrown, encoder& out) {
        try {
            std::rethrow_exception(thrown);
        } catch (const E& exception) {
            if constexpr (exception_with_codec<E>) {
                out.write(exception);
            }
            return true;
        } catch (...) {
            return false;
        }
    }

    static std::exception_ptr decode(decoder& in, std::shared_ptr<const remote_origin> origin,
                                     const std::exception_ptr& nested) {
        if constexpr (std::derived_from<E, std::nested_exception>) {
            // It takes what is being handled when it is made.
            if (nested) {
                try {
                    std::rethrow_exception(nested);
                } catch (...) {
                    return make_remote(read(in, *origin), origin, nullptr);
                }
            }
        }
        return make_remote(read(in, *origin), origin, nested);
    }

    static E read(decoder& in, const remote_origin& origin) {
        if constexpr (exception_with_codec<E>) {
            E exception = in.read<E>();
            in.finish();
            return exception;
        } else {
            in.finish();
            if constexpr (exception_of_text<E>) {
                return E(origin.what);
            } else {
                return E();
            }
        }
    }

    exception_type entry_{&typeid(E), &encode, &decode};
};

} // namespace coproc::detail

#define COPROC_JOIN_AGAIN(a, b) a##b
#define COPROC_JOIN(a, b) COPROC_JOIN_AGAIN(a, b)

/**
 * @brief Makes exceptions of a type arrive as that type.
 *
 *     struct no_such_row : std::runtime_error { ... };
 *     COPROC_EXCEPTION(no_such_row);
 *
 * What a task throws that is exactly of this type, also by std::throw_with_nested or
 * boost::throw_exception, is caught by the caller as this type, with its bases, and as a
 * remote_exception; a `final` class and what is no class arrive as they are. Without this it would
 * be a remote_error.
 *
 * The state travels through `coproc::codec<type>` if there is one (aggregates have one, see
 * coproc/codec.hpp); else the exception is made of its what(), by its constructor from std::string.
 * A codec runs where the exception is asked for, in the worker where it is thrown; what it throws
 * costs the exception its type, and it arrives as a remote_error. So does one whose state takes
 * more than 128 KiB, and one whose name another type has, as in two unnamed namespaces. The type
 * must be copyable, and its what() not `final`: it gives what it gave in the worker.
 *
 * Use it at namespace scope, in a file that is linked into the program that workers run, as often
 * as you like for one type.
 */
#define COPROC_EXCEPTION(...)                                                                      \
    [[maybe_unused]] static const ::coproc::detail::exception_registration<__VA_ARGS__>            \
    COPROC_JOIN(coproc_exception_, __COUNTER__) {}
