#pragma once

#include "pool/task.hpp"

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

namespace coproc::pool {

/// Tasks that wait, in the order of their ranks. Nearly all come in that order: they are appended
/// to a list, which costs a fifth of the tree that takes the others (those of another priority, and
/// those that a worker gives back).
class task_queue {
public:
    bool empty() const { return in_order_.empty() && others_.empty(); }
    std::size_t size() const { return in_order_.size() + others_.size(); }

    /// Who goes first; there is one.
    task& front() {
        if (others_.empty()) {
            return in_order_.front();
        }
        task& other = *others_.begin();
        return in_order_.empty() || other.goes_before(in_order_.front()) ? other
                                                                         : in_order_.front();
    }

    void add(task& t) {
        if (in_order_.empty() || in_order_.back().goes_before(t)) {
            in_order_.push_back(t);
        } else {
            others_.insert(t);
        }
    }

    void remove(task& t) {
        if (t.list_hook::is_linked()) {
            in_order_.erase(in_order_.iterator_to(t));
        } else {
            others_.erase(others_.iterator_to(t));
        }
    }

private:
    struct by_rank {
        bool operator()(const task& a, const task& b) const { return a.goes_before(b); }
    };

    boost::intrusive::list<task, boost::intrusive::base_hook<list_hook>> in_order_;
    boost::intrusive::multiset<task, boost::intrusive::base_hook<tree_hook>,
                               boost::intrusive::compare<by_rank>>
        others_;
};

} // namespace coproc::pool
