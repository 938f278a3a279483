#pragma once

// A call on its way: encoded by the caller, decoded and made by the worker.

#include <coproc/submit.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
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
    call_stage stage = call_stage::decoding;
};

using invoker = void (*)(invocation&);

/// What the worker needs beside the arguments: two addresses of this program.
struct target {
    invoker invoke;
    const void* function;
};

/// The instantiations' addresses go to the worker, so each module has its own.
template <class F, bool TakesToken, class Parameters>
struct COPROC_LOCAL task_invoker;
template <class F, bool TakesToken, class... P>
struct COPROC_LOCAL task_invoker<F, TakesToken, types<P...>> {
    /// Runs the task. Exceptions pass through; `task.stage` says what they mean.
    COPROC_LOCAL static void invoke(invocation& task) {
        F function = function_of(task);
        // Braces: from left to right.
        std::tuple<typename parameter<P>::held...> held{parameter<P>::decode(task.arguments)...};
        task.arguments.finish();
        std::apply(
            [&](auto&... values) {
                if constexpr (TakesToken) {
                    run(task, function, task.stop_token(task.context),
                        parameter<P>::pass(values)...);
                } else {
                    run(task, function, parameter<P>::pass(values)...);
                }
            },
            held);
    }

private:
    static F function_of(invocation& task) {
        if constexpr (std::is_pointer_v<F>) {
            return reinterpret_cast<F>(reinterpret_cast<std::uintptr_t>(task.function));
        } else if constexpr (has_state<F>) {
            return task.arguments.read<F>();
        } else {
            return F();
        }
    }

    template <class... Values>
    static void run(invocation& task, F& function, Values&&... values) {
        using returned = std::invoke_result_t<F&, Values...>;
        task.stage = call_stage::running;
        if constexpr (std::is_void_v<returned>) {
            function(std::forward<Values>(values)...);
            finished(task);
        } else {
            returned&& result = function(std::forward<Values>(values)...);
            finished(task);
            task.result.write<std::remove_cvref_t<returned>>(result);
        }
    }

    static void finished(invocation& task) {
        task.returned(task.context);
        task.stage = call_stage::encoding;
    }
};

/// The caller's side of a task.
template <class F, class... Args>
requires submittable<F, Args...>
struct call {
    using result_type = task_result_t<F, Args...>;
    using function_type = std::decay_t<F>;

    static target target_of(const function_type& function) noexcept {
        using task = task_of<F, Args...>;
        using entry =
            task_invoker<function_type, task::shape::takes_token, typename task::parameters>;
        if constexpr (std::is_pointer_v<function_type>) {
            return {&entry::invoke,
                    reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(function))};
        } else {
            return {&entry::invoke, nullptr};
        }
    }

    /// Writes the function's state, if it has any, and the arguments, each as its parameter's type.
    static void encode(encoder& out, const function_type& function, Args&&... args) {
        encode_function(out, function);
        [&]<class... P>(types<P...>) {
            (parameter<P>::encode(out, std::forward<Args>(args)), ...);
        }(typename task_of<F, Args...>::parameters{});
    }

    static void encode_function(encoder& out, const function_type& function) {
        if constexpr (std::is_pointer_v<function_type>) {
            if (function == nullptr) {
                throw encode_error("the function pointer is null");
            }
        } else if constexpr (has_state<function_type>) {
            out.write(function);
        }
    }
};

/// The caller's side of a result that arrived.
template <class R>
R decode_result(std::span<const std::byte> bytes) {
    decoder in(bytes);
    if constexpr (std::is_void_v<R>) {
        in.finish();
    } else {
        R result = in.read<R>();
        in.finish();
        return result;
    }
}

} // namespace coproc::detail
