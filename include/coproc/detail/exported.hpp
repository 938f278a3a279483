#pragma once

// Functions that workers know by a name.

#include <coproc/detail/call.hpp>
#include <coproc/detail/wire_signature.hpp>

#include <cstdint>
#include <typeinfo>

namespace coproc::detail {

/// An entry of the list in which a worker looks names up. It is there from its construction to its
/// destruction, that is while the program or the shared library that holds it is loaded.
class COPROC_API exported_function {
public:
    exported_function(const char* name, std::uint64_t signature, const std::type_info& type,
                      invoker invoke, invoker invoke_chunk) noexcept;
    ~exported_function();
    exported_function(const exported_function&) = delete;
    exported_function& operator=(const exported_function&) = delete;

    const char* const name;
    const std::uint64_t signature;
    const std::type_info& type; // of the function as callers see it, for sentences
    const invoker invoke;
    const invoker invoke_chunk;
    exported_function* next = nullptr;
};

template <class Parameters>
struct as_exported;
template <class... P>
struct as_exported<types<P...>> {
    template <class F>
    static constexpr bool possible = verdict_on<F, P...>::reason == refusal::none;
    template <class F>
    using result = typename task_of<F, P...>::returned;
    template <class F>
    static std::uint64_t signature() {
        return wire_signature<result<F>, P...>();
    }
    template <class F>
    static const std::type_info& type() noexcept {
        return typeid(result<F>(P...));
    }
};

template <class Parameters>
struct without_token {
    using type = Parameters;
    static constexpr bool had_token = false;
};
template <class... P>
struct without_token<types<std::stop_token, P...>> {
    using type = types<P...>;
    static constexpr bool had_token = true;
};

/// What COPROC_EXPORT says about a function.
template <auto Function>
struct export_of {
    using function = function_constant<Function>;
    using declared = without_token<typename parameters_of<callee_t<function>>::type>;
    using parameters = typename declared::type;
    using exported = as_exported<parameters>;
    static_assert(exported::template possible<function>,
                  "the function cannot be exported: its parameters and its result must be such "
                  "that coproc::executor::submit takes it");
    using entry = task_invoker<function, declared::had_token, parameters>;
};

} // namespace coproc::detail

#define COPROC_EXPORT_JOIN(a, b) a##b
#define COPROC_EXPORT_NAME(number) COPROC_EXPORT_JOIN(coproc_exported_, number)

/**
 * @brief Lets workers of this program find a function by its name, as it is written here.
 *
 *     COPROC_EXPORT(resize)           // found as coproc::named<image(image, int)>("resize")
 *     COPROC_EXPORT(images::crop)     // found as coproc::named<...>("images::crop")
 *
 * Stands at namespace scope in a source file of the program or of a shared library, once for each
 * name. In a static library, a file with nothing but exports is left out by the linker.
 */
#define COPROC_EXPORT(...)                                                                         \
    [[maybe_unused]] static const ::coproc::detail::exported_function COPROC_EXPORT_NAME(          \
        __COUNTER__)(#__VA_ARGS__,                                                                 \
                     ::coproc::detail::export_of<&__VA_ARGS__>::exported::template signature<      \
                         ::coproc::detail::export_of<&__VA_ARGS__>::function>(),                   \
                     ::coproc::detail::export_of<&__VA_ARGS__>::exported::template type<           \
                         ::coproc::detail::export_of<&__VA_ARGS__>::function>(),                   \
                     &::coproc::detail::export_of<&__VA_ARGS__>::entry::invoke,                    \
                     &::coproc::detail::export_of<&__VA_ARGS__>::entry::invoke_chunk);
