#pragma once

// executor::map.

#include <coproc/detail/map_source.hpp>
#include <coproc/executor.hpp>
#include <coproc/stream.hpp>
#include <coproc/submit.hpp>

#include <cstddef>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace coproc {

/// Whether executor::map can call `F` with the elements of these ranges.
template <class F, class... Ranges>
concept mappable = detail::all_ranges<Ranges...> &&
                   detail::verdict_on_elements<F, Ranges...>::reason == detail::refusal::none;

namespace detail {

/// Why a map does not compile, for compilers to print.
template <refusal Reason, class Where>
struct refused_map;
struct not_input_ranges;

template <class F, class... Ranges>
struct mapping {
    using refused = not_input_ranges;
};
/// Options come first in the other form of map.
template <class F, class... Ranges>
requires std::is_same_v<std::remove_cvref_t<F>, map_options>
struct mapping<F, Ranges...> {
};

template <class F, class... Ranges>
requires(all_ranges<Ranges...> && !mappable<F, Ranges...>) struct mapping<F, Ranges...> {
    using verdict = verdict_on_elements<F, Ranges...>;
    using refused = refused_map<verdict::reason, typename verdict::where>;
};

template <class F, class... Ranges>
requires mappable<F, Ranges...>
struct mapping<F, Ranges...> {
    using elements_task = call_with_elements<std::decay_t<F>, std::views::all_t<Ranges>...>;
    using type = stream<std::remove_cvref_t<typename elements_task::task::returned>>;

    static type start(const std::shared_ptr<executor_impl>& executor, map_options options,
                      F&& function, Ranges&&... ranges) {
        check_options(options);
        return options.chunk_size > 1
                   ? start_with<chunk_source>(executor, options, std::forward<F>(function),
                                              std::forward<Ranges>(ranges)...)
                   : start_with<map_source>(executor, options, std::forward<F>(function),
                                            std::forward<Ranges>(ranges)...);
    }

private:
    template <template <class...> class Source>
    static type start_with(const std::shared_ptr<executor_impl>& executor,
                           const map_options& options, F&& function, Ranges&&... ranges) {
        return type(
            make_stream(std::make_unique<Source<std::decay_t<F>, std::views::all_t<Ranges>...>>(
                            executor, options, std::forward<F>(function),
                            std::views::all(std::forward<Ranges>(ranges))...),
                        options));
    }
};

} // namespace detail
} // namespace coproc
