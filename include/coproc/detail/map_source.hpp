#pragma once

// Where the tasks of executor::map come from: ranges, advanced in step.

#include <coproc/detail/call.hpp>
#include <coproc/detail/stream_core.hpp>
#include <coproc/detail/submission.hpp>
#include <coproc/options.hpp>
#include <coproc/submit.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <tuple>
#include <type_traits>
#include <utility>

namespace coproc::detail {

template <class... Ranges>
concept all_ranges = sizeof...(Ranges) > 0 && ((std::ranges::input_range<Ranges> &&
                                                std::ranges::viewable_range<Ranges>)&&...);

template <class F, class... Ranges>
using verdict_on_elements =
    verdict_on<const std::decay_t<F>&,
               std::ranges::range_reference_t<std::views::all_t<Ranges>>...>;

/// Calls `then` with each argument as its parameter's type. So what a conversion throws passes, and
/// what a codec throws can be told from it.
template <class Then>
void convert(types<>, Then&& then) {
    then();
}
template <class P, class... Rest, class Then, class Arg, class... Args>
void convert(types<P, Rest...>, Then&& then, Arg&& arg, Args&&... args) {
    const typename parameter<P>::value_type& value = std::forward<Arg>(arg);
    convert(
        types<Rest...>{}, [&](const auto&... rest) { then(value, rest...); },
        std::forward<Args>(args)...);
}

template <class F, class... Views>
class map_source final : public task_source {
    using call = detail::call<const F&, std::ranges::range_reference_t<Views>...>;
    using parameters = typename call::parameters;

public:
    using result_type = std::remove_cvref_t<typename call::task::returned>;

    map_source(std::shared_ptr<executor_impl> executor, const map_options& options, F function,
               Views... ranges)
        : task_source(std::move(executor), options.task),
          function_(std::move(function)),
          ranges_(std::move(ranges)...) {}

    job_ptr pull() override {
        job_ptr next;
        if (advance()) {
            with_element(
                [&](auto&&... args) { next = submit(std::forward<decltype(args)>(args)...); });
        }
        return next;
    }

private:
    static constexpr auto each = std::index_sequence_for<Views...>{};

    /// To the next element of each range. False: one of them has ended.
    bool advance() {
        return [this]<std::size_t... I>(std::index_sequence<I...>) {
            if (at_) {
                (static_cast<void>(++std::get<I>(*at_)), ...);
            } else {
                at_.emplace(std::ranges::begin(std::get<I>(ranges_))...);
            }
            return ((std::get<I>(*at_) != std::ranges::end(std::get<I>(ranges_))) && ...);
        }
        (each);
    }

    template <class Use>
    void with_element(Use&& use) {
        [&]<std::size_t... I>(std::index_sequence<I...>) { use(*std::get<I>(*at_)...); }
        (each);
    }

    template <class... Args>
    job_ptr submit(Args&&... args) {
        submission next(*executor());
        job_ptr made;
        convert(
            parameters{}, [&](const auto&... values) { made = encode_and_commit(next, values...); },
            std::forward<Args>(args)...);
        return made;
    }

    template <class... Values>
    job_ptr encode_and_commit(submission& next, const Values&... values) {
        try {
            call::encode_function(next.arguments(), function_);
            encode_each(next.arguments(), parameters{}, values...);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return next.refuse(options(), call::target_of(function_));
        }
        return next.commit(options(), call::target_of(function_));
    }

    F function_;
    std::tuple<Views...> ranges_;
    std::optional<std::tuple<std::ranges::iterator_t<Views>...>> at_; // none: not begun
};

} // namespace coproc::detail
