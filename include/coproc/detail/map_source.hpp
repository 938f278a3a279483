#pragma once

// Where the tasks of executor::map come from: ranges, advanced in step.

#include <coproc/detail/call.hpp>
#include <coproc/detail/chunk.hpp>
#include <coproc/detail/luggage.hpp>
#include <coproc/detail/stream_core.hpp>
#include <coproc/detail/submission.hpp>
#include <coproc/options.hpp>
#include <coproc/submit.hpp>

#include <cstddef>
#include <exception>
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
    const typename converted<P, std::remove_cvref_t<Arg>>::type& value = std::forward<Arg>(arg);
    convert(
        types<Rest...>{}, [&](const auto&... rest) { then(value, rest...); },
        std::forward<Args>(args)...);
}

/// Ranges advanced in step; the shortest ends them.
template <class... Views>
class zipped {
public:
    explicit zipped(Views... ranges) : ranges_(std::move(ranges)...) {}

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

    /// Calls it with the element of each range.
    template <class Use>
    void with_element(Use&& use) {
        [&]<std::size_t... I>(std::index_sequence<I...>) { use(*std::get<I>(*at_)...); }
        (each);
    }

private:
    static constexpr auto each = std::index_sequence_for<Views...>{};

    std::tuple<Views...> ranges_;
    std::optional<std::tuple<std::ranges::iterator_t<Views>...>> at_; // none: not begun
};

template <class F, class... Views>
using call_with_elements = call_of<const F&, std::ranges::range_reference_t<Views>...>;

/// Each element is a task.
template <class F, class... Views>
class map_source final : public task_source {
    using task = call_with_elements<F, Views...>;
    using parameters = typename task::parameters;

public:
    map_source(std::shared_ptr<executor_impl> executor, const map_options& options, F function,
               Views... ranges)
        : task_source(std::move(executor), options.task),
          function_(std::move(function)),
          ranges_(std::move(ranges)...) {}

    pulled pull() override {
        pulled next;
        if (ranges_.advance()) {
            ranges_.with_element(
                [&](auto&&... args) { next.job = submit(std::forward<decltype(args)>(args)...); });
        }
        return next;
    }

private:
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
            task::encode_function(next.arguments(), function_);
            encode_each(next.arguments(), parameters{}, values...);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return next.refuse(options(), task::target_of(function_));
        }
        return next.commit(options(), task::target_of(function_));
    }

    F function_;
    zipped<Views...> ranges_;
};

/// Several elements are a task. An element that cannot be encoded is one of its own, which is
/// refused; what ends the chunk before it comes first.
template <class F, class... Views>
class chunk_source final : public task_source {
    using task = call_with_elements<F, Views...>;
    using parameters = typename task::parameters;

public:
    chunk_source(std::shared_ptr<executor_impl> executor, const map_options& options, F function,
                 Views... ranges)
        : task_source(std::move(executor), options.task),
          chunk_size_(options.chunk_size),
          function_(std::move(function)),
          ranges_(std::move(ranges)...),
          chunk_(max_chunk_bytes(*this->executor())) {
        luggage_access::set(chunk_.out(), &luggage_);
    }

    pulled pull() override {
        while (chunk_.elements() < chunk_size_ && !chunk_.is_full() && !ended_ && !thrown_ &&
               !refused_) {
            gather();
        }
        if (!chunk_.empty()) {
            return commit();
        }
        if (refused_) {
            return {refuse(std::exchange(refused_, nullptr))};
        }
        if (thrown_) {
            std::rethrow_exception(std::exchange(thrown_, nullptr));
        }
        return {};
    }

private:
    void gather() {
        try {
            ended_ = !ranges_.advance();
            if (!ended_) {
                ranges_.with_element([&](auto&&... args) {
                    convert(
                        parameters{}, [&](const auto&... values) { encode(values...); },
                        std::forward<decltype(args)>(args)...);
                });
            }
        } catch (...) {
            thrown_ = std::current_exception();
        }
    }

    template <class... Values>
    void encode(const Values&... values) {
        try {
            const bool first = chunk_.empty();
            if (first) {
                luggage_.reset();
                chunk_.begin(task::bound_values);
                task::encode_function(chunk_.out(), function_);
            }
            chunk_.begin_element();
            if (luggage_ != nullptr) {
                begin_element(*luggage_, first);
            }
            encode_each(chunk_.out(), parameters{}, values...);
            chunk_.end_element();
        } catch (const std::bad_alloc&) {
            chunk_.drop_element();
            throw;
        } catch (...) {
            chunk_.drop_element();
            refused_ = std::current_exception();
        }
    }

    pulled commit() {
        const std::size_t elements = chunk_.elements();
        luggage_ptr of_next = chunk_.is_full() ? carry(luggage_.get()) : nullptr;
        chunk_.finish();
        job_ptr made = submit_chunk(*executor(), chunk_.out(), std::move(luggage_), options(),
                                    task::target_of_chunk(function_), elements);
        luggage_ = std::move(of_next);
        chunk_.advance();
        return {std::move(made), elements};
    }

    job_ptr refuse(const std::exception_ptr& why) {
        submission refused(*executor());
        try {
            std::rethrow_exception(why);
        } catch (...) {
            return refused.refuse(options(), task::target_of_chunk(function_));
        }
    }

    const std::size_t chunk_size_;
    F function_;
    zipped<Views...> ranges_;
    luggage_ptr luggage_;
    chunk_builder chunk_;
    std::exception_ptr refused_; // what the codec of the next element threw
    std::exception_ptr thrown_;  // what the range threw
    bool ended_ = false;
};

} // namespace coproc::detail
