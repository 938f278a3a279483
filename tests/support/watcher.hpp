#pragma once

#include "support/catch.hpp"

#include <coproc/event.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace test {

template <class... Functions>
struct overloaded : Functions... {
    using Functions::operator()...;
};
template <class... Functions>
overloaded(Functions...) -> overloaded<Functions...>;

/// Keeps the events that an executor tells. Checks nothing while it is told: that may be in another
/// thread.
class watcher {
public:
    void operator()(const coproc::event& e) {
        events_.push_back(e);
        names_.emplace_back(name_in(e)); // it is valid now only
    }
    std::function<void(const coproc::event&)> observer() {
        return [this](const coproc::event& e) { (*this)(e); };
    }

    std::size_t size() const { return events_.size(); }
    const std::string& name_of(std::size_t index) const { return names_.at(index); }

    /// All events of one kind.
    template <class Event>
    std::vector<Event> all() const {
        std::vector<Event> found;
        for (const coproc::event& e : events_) {
            if (const auto* const one = std::get_if<Event>(&e)) {
                found.push_back(*one);
            }
        }
        return found;
    }
    /// The one with this number, from 0, among those of its kind.
    template <class Event>
    Event at(std::size_t number) const {
        const std::vector<Event> found = all<Event>();
        REQUIRE(number < found.size());
        return found[number];
    }

    /// A word for each.
    std::string kinds() const {
        std::string words;
        for (const coproc::event& e : events_) {
            words += words.empty() ? "" : " ";
            words += std::visit(
                overloaded{[](const coproc::worker_started&) { return "started"; },
                           [](const coproc::worker_start_failed&) { return "start_failed"; },
                           [](const coproc::worker_ready&) { return "ready"; },
                           [](const coproc::worker_retired&) { return "retired"; },
                           [](const coproc::worker_crashed&) { return "crashed"; },
                           [](const coproc::worker_ended&) { return "ended"; },
                           [](const coproc::executor_resized&) { return "resized"; },
                           [](const coproc::task_queued&) { return "queued"; },
                           [](const coproc::task_staged&) { return "staged"; },
                           [](const coproc::task_done&) { return "done"; },
                           [](const coproc::detached_failed&) { return "detached_failed"; }},
                e);
        }
        return words;
    }

    bool times_ascend() const {
        return std::is_sorted(events_.begin(), events_.end(), [](const auto& a, const auto& b) {
            const auto at = [](const auto& e) { return e.at; };
            return std::visit(at, a) < std::visit(at, b);
        });
    }

    /// Whether each task was queued, given to workers as often as it was queued, or once less, and
    /// then done, once.
    bool tasks_in_order() const {
        enum class place { nowhere, queued, staged, done };
        std::map<std::uint64_t, place> tasks;
        const auto moves = [&](const coproc::observed_task& task, place to, auto... from) {
            const place before = std::exchange(tasks[task.id], to);
            return ((before == from) || ...);
        };
        return std::all_of(events_.begin(), events_.end(), [&](const coproc::event& e) {
            return std::visit(overloaded{[&](const coproc::task_queued& q) {
                                             return moves(q.task, place::queued,
                                                          q.why == coproc::queue_reason::submitted
                                                              ? place::nowhere
                                                              : place::staged);
                                         },
                                         [&](const coproc::task_staged& s) {
                                             return moves(s.task, place::staged, place::queued);
                                         },
                                         [&](const coproc::task_done& d) {
                                             return moves(d.task, place::done, place::queued,
                                                          place::staged);
                                         },
                                         [](const auto&) { return true; }},
                              e);
        });
    }

private:
    static std::string_view name_in(const coproc::event& e) {
        return std::visit(
            [](const auto& one) -> std::string_view {
                if constexpr (requires { one.task; }) {
                    return one.task.name;
                } else {
                    return {};
                }
            },
            e);
    }

    std::vector<coproc::event> events_;
    std::vector<std::string> names_;
};

} // namespace test
