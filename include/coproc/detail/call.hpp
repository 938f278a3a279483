#pragma once

// A call on its way: encoded by the caller, decoded and made by the worker.

#include <coproc/detail/chunk.hpp>
#include <coproc/detail/member_function.hpp>
#include <coproc/detail/task.hpp>
#include <coproc/detail/wire_signature.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// How far the worker has come with a task; what an exception means depends on it.
enum class call_stage {
    decoding, // the function did not run
    running,  // the exception is the task's own
    encoding, // the function has returned
};

/// A task in the worker, for its invoker.
struct invocation {
    decoder& arguments;
    encoder& result;
    const void* function;             // the function that a pointer points to, or nullptr
    void* context;                    // for the two below
    void (*returned)(void*) noexcept; // the function has returned
    std::stop_token (*stop_token)(void*);
    bool (*stop_requested)(void*) noexcept = nullptr;
    call_stage stage = call_stage::decoding;
    // Only of chunks: how far they have come (memory::chunk_step), and the results until now are to
    // be sent. False: nobody is there to take them.
    void (*step)(void*, std::uint64_t) noexcept = nullptr;
    bool (*send_part)(void*) = nullptr;
};

using invoker = void (*)(invocation&);

/// What the worker needs beside the arguments: two addresses of this program, or a name. Texts live
/// as long as the function that is submitted, a name that its type carries for ever.
struct target {
    invoker invoke;
    const void* function;
    const char* name = nullptr;     // of the function, if its type carries it
    std::string_view exported = {}; // in place of the addresses
    std::uint64_t signature = 0;    // goes with it
};

#ifdef COPROC_HAS_AWAITABLE
/// Runs a coroutine on a loop of its own, to its end, and ends what it leaves there. A stop request
/// cancels it, unless it takes the token and so sees to that itself.
COPROC_API void run_coroutine(invocation&, awaited_void, bool takes_token);
#endif

/// The instantiations' addresses go to the worker, so each module has its own.
template <class F, bool TakesToken, class Parameters>
struct COPROC_LOCAL task_invoker;
template <class F, bool TakesToken, class... P>
struct COPROC_LOCAL task_invoker<F, TakesToken, types<P...>> {
    /// Runs the task. Exceptions pass through; `task.stage` says what they mean.
    COPROC_LOCAL static void invoke(invocation& task) { invoke_with(task, task.arguments, 0); }

    /// Runs each element of a chunk. No exception of theirs passes.
    COPROC_LOCAL static void invoke_chunk(invocation& chunk) { run_chunk(chunk, &invoke_with); }

private:
    /// The function and its first values come from `common`, which may be the arguments' decoder.
    COPROC_LOCAL static void invoke_with(invocation& task, decoder& common,
                                         [[maybe_unused]] std::size_t common_values) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            F function = function_of(task, common);
            // Braces: from left to right.
            std::tuple<typename parameter<P>::held...> held{
                parameter<P>::decode(I < common_values ? common : task.arguments)...};
            common.finish();
            task.arguments.finish();
            std::apply(
                [&](auto&... values) { pass(task, function, parameter<P>::pass(values)...); },
                held);
        }
        (std::index_sequence_for<P...>{});
    }

    static F function_of(invocation& task, decoder& common) {
        if constexpr (std::is_pointer_v<F>) {
            return reinterpret_cast<F>(reinterpret_cast<std::uintptr_t>(task.function));
        } else if constexpr (std::is_member_function_pointer_v<F>) {
            return decode_member<F>(common, task.function);
        } else if constexpr (has_state<F>) {
            return common.read<F>();
        } else {
            return F();
        }
    }

    /// Adds the token to the arguments.
    template <class... Values>
    static void pass(invocation& task, F& function, Values&&... values) {
        if constexpr (!TakesToken) {
            run(task, function, std::forward<Values>(values)...);
        } else if constexpr (std::is_member_function_pointer_v<callee_t<F>>) {
            [&](auto&& object, auto&&... rest) {
                run(task, function, std::forward<decltype(object)>(object),
                    task.stop_token(task.context), std::forward<decltype(rest)>(rest)...);
            }(std::forward<Values>(values)...);
        } else {
            run(task, function, task.stop_token(task.context), std::forward<Values>(values)...);
        }
    }

    template <class... Values>
    static void run(invocation& task, F& function, Values&&... values) {
        using returned = std::invoke_result_t<F&, Values...>;
        task.stage = call_stage::running;
        if constexpr (awaited<returned>::later) {
            run_awaited(task, std::invoke(function, std::forward<Values>(values)...));
        } else if constexpr (std::is_void_v<returned>) {
            std::invoke(function, std::forward<Values>(values)...);
            finished(task);
        } else {
            returned&& result = std::invoke(function, std::forward<Values>(values)...);
            finished(task);
            task.result.write<std::remove_cvref_t<returned>>(result);
        }
    }

    template <class Coroutine>
    static void run_awaited(invocation& task, Coroutine coroutine) {
        using value = std::remove_cvref_t<typename awaited<Coroutine>::type>;
        if constexpr (std::is_void_v<value>) {
            run_coroutine(task, std::move(coroutine), TakesToken);
            finished(task);
        } else {
            std::optional<value> result;
            run_coroutine(task, keep(std::move(coroutine), result), TakesToken);
            finished(task);
            task.result.write<value>(*result);
        }
    }

    template <class Coroutine, class Value>
    static typename awaited<Coroutine>::finished keep(Coroutine coroutine,
                                                      std::optional<Value>& result) {
        result.emplace(co_await std::move(coroutine));
    }

    static void finished(invocation& task) {
        task.returned(task.context);
        task.stage = call_stage::encoding;
    }
};

template <class... P, class... Args>
void encode_each(encoder& out, types<P...>, Args&&... args) {
    (parameter<P>::encode(out, std::forward<Args>(args)), ...);
}

/// The caller's side of a task.
template <class F, class... Args>
struct call_of {
    using task = task_of<F, Args...>;
    using function_type = std::decay_t<F>;
    using parameters = typename task::parameters; // those that follow what encode_function writes

    using entry = task_invoker<function_type, task::shape::takes_token, parameters>;
    /// Parameters that are bound, not given by elements of a map.
    static constexpr std::size_t bound_values = 0;

    static target target_of(const function_type& function) noexcept {
        if constexpr (is_named<function_type>) {
            return {.invoke = nullptr,
                    .function = nullptr,
                    .exported = function.name,
                    .signature = signature_of(static_cast<const function_type*>(nullptr))};
        } else {
            return target_in_program(function, &entry::invoke);
        }
    }

    /// The same function, for each element of a chunk.
    static target target_of_chunk(const function_type& function) noexcept {
        if constexpr (is_named<function_type>) {
            target named = target_of(function);
            named.signature = signature_for_chunks(named.signature);
            return named;
        } else {
            return target_in_program(function, &entry::invoke_chunk);
        }
    }

    /// Writes the function's state, if it has any, and the arguments, each as its parameter's type.
    static void encode(encoder& out, const function_type& function, Args&&... args) {
        encode_function(out, function);
        encode_each(out, parameters{}, std::forward<Args>(args)...);
    }

    static void encode_function(encoder& out, const function_type& function) {
        if constexpr (std::is_pointer_v<function_type> || std::is_member_pointer_v<function_type>) {
            if (function == nullptr) {
                throw encode_error("the function pointer is null");
            }
        }
        if constexpr (std::is_member_pointer_v<function_type>) {
            encode_member(out, function);
        } else if constexpr (has_state<function_type>) {
            out.write(function);
        }
    }

private:
    static target target_in_program(const function_type& function, invoker invoke) noexcept {
        if constexpr (std::is_pointer_v<function_type>) {
            return {invoke,
                    reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(function))};
        } else if constexpr (std::is_member_function_pointer_v<function_type>) {
            return {invoke, code_of_member(function)};
        } else {
            return {invoke, nullptr, name_carried_by<function_type>};
        }
    }

    /// Of the types that the name was given with, not of those of the arguments.
    template <class R, class... P>
    static std::uint64_t signature_of(const named_function<R(P...)>*) {
        static const std::uint64_t signature = wire_signature<typename awaited<R>::type, P...>();
        return signature;
    }
};

/// What is bound travels like the arguments that follow it.
template <class F, class... Args>
requires is_bound<std::remove_cvref_t<F>>
struct call_of<F, Args...> {
private:
    template <class Bound>
    struct opened;
    template <class G, class... B>
    struct opened<bound<G, B...>> {
        using type = call_of<as_part_of_t<F, G>, as_part_of_t<F, B>..., Args...>;
        using parameters = typename type::parameters;
        using of_bound = typename matched<parameters, types<>, B...>::type;
        using left = typename without_first<parameters, sizeof...(B)>::type;
        static constexpr std::size_t count = sizeof...(B);
    };

public:
    using task = task_of<F, Args...>;
    using function_type = std::remove_cvref_t<F>;
    using flat_call = typename opened<function_type>::type;
    using parameters = typename opened<function_type>::left;
    static constexpr std::size_t bound_values =
        opened<function_type>::count + flat_call::bound_values;

    static target target_of(const function_type& function) noexcept {
        return function_type::apply(function, [](const auto& inner, const auto&...) {
            return flat_call::target_of(inner);
        });
    }

    static target target_of_chunk(const function_type& function) noexcept {
        return function_type::apply(function, [](const auto& inner, const auto&...) {
            return flat_call::target_of_chunk(inner);
        });
    }

    template <class Self>
    static void encode(encoder& out, Self&& function, Args&&... args) {
        function_type::apply(static_cast<F&&>(function), [&](auto&& inner, auto&&... values) {
            flat_call::encode(out, static_cast<decltype(inner)>(inner),
                              static_cast<decltype(values)>(values)...,
                              std::forward<Args>(args)...);
        });
    }

    static void encode_function(encoder& out, const function_type& function) {
        function_type::apply(function, [&](const auto& inner, const auto&... values) {
            flat_call::encode_function(out, inner);
            encode_each(out, typename opened<function_type>::of_bound{}, values...);
        });
    }
};

/// The caller's side of a result that arrived.
template <class R>
R decode_result(decoder in) {
    if constexpr (std::is_void_v<R>) {
        in.finish();
    } else {
        R result = in.read<R>();
        in.finish();
        return result;
    }
}
template <class R>
R decode_result(std::span<const std::byte> bytes) {
    return decode_result<R>(decoder(bytes));
}

} // namespace coproc::detail
