#include "pool/zygote_plan.hpp"

#include <algorithm>

namespace coproc::pool {

void zygote_plan::want(std::uint32_t worker, time_point now, zygote_actions& out) {
    if (state_ == zygote_state::ready) {
        request(worker, now, out);
        return;
    }
    waiting_.push_back(worker);
    if (state_ == zygote_state::none) {
        state_ = zygote_state::asked;
        out.push_back({.kind = zygote_action_kind::start});
    }
}

bool zygote_plan::forget(std::uint32_t worker) { return std::erase(waiting_, worker) != 0; }

void zygote_plan::started(time_point now) {
    state_ = zygote_state::starting;
    limit_ = after(now, limits_.start);
}

void zygote_plan::greeted(time_point now, zygote_actions& out) {
    if (state_ != zygote_state::starting) {
        return;
    }
    if (!limits_.preloads) {
        become_ready(now, out);
        return;
    }
    state_ = zygote_state::preloading;
    limit_ = after(now, limits_.preload);
    out.push_back({.kind = zygote_action_kind::preload});
}

void zygote_plan::preloaded(time_point now, zygote_actions& out) {
    if (state_ == zygote_state::preloading) {
        become_ready(now, out);
    }
}

void zygote_plan::become_ready(time_point now, zygote_actions& out) {
    state_ = zygote_state::ready;
    limit_ = never;
    for (const std::uint32_t worker : waiting_) {
        request(worker, now, out);
    }
    waiting_.clear();
}

void zygote_plan::request(std::uint32_t worker, time_point now, zygote_actions& out) {
    if (requested_.empty()) {
        limit_ = after(now, limits_.start);
    }
    requested_.push_back(worker);
    out.push_back({.kind = zygote_action_kind::request, .worker = worker});
}

bool zygote_plan::answered(std::uint32_t worker, time_point now) {
    if (std::erase(requested_, worker) == 0) {
        return false;
    }
    if (state_ == zygote_state::ready) {
        limit_ = requested_.empty() ? never : after(now, limits_.start);
    }
    return true;
}

void zygote_plan::distrust(zygote_actions& out) {
    if (state_ == zygote_state::starting || state_ == zygote_state::preloading ||
        state_ == zygote_state::ready) {
        state_ = zygote_state::ending;
        limit_ = never;
        out.push_back({.kind = zygote_action_kind::kill});
    }
}

void zygote_plan::tick(time_point now, zygote_actions& out) {
    if (limit_ <= now) {
        distrust(out);
    }
}

void zygote_plan::listen_again(time_point now) {
    if (limit_ != never) {
        limit_ = after(now, state_ == zygote_state::preloading ? limits_.preload : limits_.start);
    }
}

void zygote_plan::lost(zygote_actions& out) {
    state_ = zygote_state::none;
    limit_ = never;
    requested_.insert(requested_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    // The others first: the failure may have new ones started, which may be given their numbers.
    for (std::size_t i = 1; i < requested_.size(); ++i) {
        out.push_back({.kind = zygote_action_kind::give_back, .worker = requested_[i]});
    }
    if (!requested_.empty()) {
        out.push_back({.kind = zygote_action_kind::fail, .worker = requested_.front()});
    }
    requested_.clear();
}

} // namespace coproc::pool
