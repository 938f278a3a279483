#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <vector>

// Breadth-first search of all states that a model can reach, each once.
namespace test {

/// One step of a model: what happened, to which of several, and where it leads.
template <class State>
struct model_step {
    const char* what;
    int who;
    State to;
};

struct search_result {
    std::size_t states = 0;
    std::string fault;              ///< empty: there is none
    std::vector<std::string> trace; ///< the shortest history that leads to it

    std::string text() const {
        std::string lines = fault;
        for (const std::string& step : trace) {
            lines += "\n    " + step;
        }
        return lines;
    }
};

/**
 * A Model has `State`, `initial()`, `steps(state, out)` that appends all steps which can follow,
 * and `fault(state, steps)` that names what is wrong with a state or gives an empty text. The state
 * is compared byte by byte.
 */
template <class Model>
search_result search(const Model& model) {
    using State = typename Model::State;
    static_assert(std::has_unique_object_representations_v<State>);
    struct visit {
        State state;
        std::size_t from;
        const char* what;
        int who;
    };
    // Visits never move, so the set of the known refers to them.
    std::deque<visit> visits;
    const auto hash = [&](std::size_t at) {
        return std::hash<std::string_view>()(
            {reinterpret_cast<const char*>(&visits[at].state), sizeof(State)});
    };
    const auto equal = [&](std::size_t a, std::size_t b) {
        return std::memcmp(&visits[a].state, &visits[b].state, sizeof(State)) == 0;
    };
    std::unordered_set<std::size_t, decltype(hash), decltype(equal)> known(1 << 16, hash, equal);
    const auto add = [&](const visit& next) {
        visits.push_back(next);
        if (!known.insert(visits.size() - 1).second) {
            visits.pop_back();
        }
    };
    search_result result;
    std::vector<model_step<State>> steps;
    add({model.initial(), 0, "", 0});
    for (std::size_t at = 0; at < visits.size(); ++at) {
        const State state = visits[at].state;
        steps.clear();
        model.steps(state, steps);
        result.fault = model.fault(state, steps);
        if (!result.fault.empty()) {
            for (std::size_t step = at; step != 0; step = visits[step].from) {
                result.trace.insert(result.trace.begin(), std::string(visits[step].what) + ' ' +
                                                              std::to_string(visits[step].who));
            }
            break;
        }
        for (const model_step<State>& step : steps) {
            add({step.to, at, step.what, step.who});
        }
    }
    result.states = visits.size();
    return result;
}

} // namespace test
