#include "stream/wait_state.hpp"

#include <cassert>
#include <utility>

namespace coproc::streams {

wait_state::wait_state(wait_condition condition, std::size_t jobs)
    : condition_(condition), left_(jobs), over_(jobs == 0), met_(jobs == 0) {}

bool wait_state::done(job_outcome how) {
    assert(left_ > 0);
    --left_;
    if (over_ || !ends_it(how)) {
        return false;
    }
    over_ = met_ = true;
    return true;
}

bool wait_state::given_up() { return !std::exchange(over_, true); }

bool wait_state::ends_it(job_outcome how) const {
    switch (condition_) {
    case wait_condition::first_completed:
        return true;
    case wait_condition::first_exception:
        return how == job_outcome::failed || left_ == 0;
    case wait_condition::all_completed:
        break;
    }
    return left_ == 0;
}

} // namespace coproc::streams
