#include "unit/pool_world.hpp"

#include "support/pool_printers.hpp"

#include <algorithm>
#include <array>

namespace coproc::test {

using namespace std::chrono_literals;
using pool::slot_state;
using life = sim_process::life;
using place = sim_task::place;

namespace {

constexpr std::size_t most_open = 300;

template <std::size_t N>
constexpr auto choices(const unsigned (&values)[N]) {
    return std::to_array(values);
}

} // namespace

std::size_t sim_process::unsettled() const {
    return static_cast<std::size_t>(
        std::count_if(slots.begin(), slots.end(), [](const sim_slot& s) { return !s.settled; }));
}

std::uint64_t sim_process::oldest_unsettled() const {
    const auto found =
        std::find_if(slots.begin(), slots.end(), [](const sim_slot& s) { return !s.settled; });
    return static_cast<std::uint64_t>(found - slots.begin());
}

pool::slot_state sim_slot::told() const {
    return state == pool::slot_state::begun && subject->has_rest() ? pool::slot_state::begun_in_part
                                                                   : state;
}

std::uint64_t world::any(std::uint64_t below) { return random_() % below; }

bool world::chance(unsigned per_mille) { return any(1000) < per_mille; }

static pool::limits some_limits(std::mt19937_64& random) {
    const auto one_of = [&random](const auto& values) { return values[random() % values.size()]; };
    pool::limits l;
    l.max_workers = 1 + random() % 8;
    l.max_queued = random() % 4 == 0 ? 3 : static_cast<std::size_t>(-1);
    l.max_window = one_of(choices({2, 4, 16, 1024}));
    l.max_pipe_bytes = one_of(choices({1, 100, 100000}));
    l.max_failed_starts = one_of(choices({1, 3, 5}));
    l.stall_period = one_of(choices({1, 3, 1000})) * 1ms;
    l.overtaking_period = one_of(choices({0, 10})) * 1ms;
    l.min_workers = random() % 2 == 0 ? 0 : random() % (l.max_workers + 2);
    l.idle_timeout = random() % 3 == 0 ? pool::no_limit : one_of(choices({0, 5, 30})) * 1ms;
    l.max_tasks = one_of(choices({0, 0, 1, 3, 20}));
    l.max_age = random() % 3 == 0 ? one_of(choices({20, 60})) * 1ms : pool::no_limit;
    l.start_timeout = 50ms;
    l.exit_timeout = 20ms;
    l.crash_timeout = 10ms;
    l.encode_grace = 5ms;
    return l;
}

world::world(std::uint64_t seed, bool traced)
    : random_(seed),
      traced_(traced),
      late_answers_(chance(500)),
      death_(choices({0, 5, 30, 100})[any(4)]),
      start_failure_(choices({0, 0, 100, 600})[any(4)]),
      silence_(choices({0, 0, 50, 300})[any(4)]),
      shutdown_(choices({0, 0, 0, 5})[any(4)]),
      hanging_(choices({0, 50, 300})[any(3)]),
      chunks_(choices({0, 200, 800})[any(3)]),
      submission_(choices({100, 250, 500})[any(3)]),
      priorities_(choices({0, 20, 500})[any(3)]),
      sizes_(choices({0, 10, 60})[any(3)]),
      watched_(chance(500)),
      limits_(some_limits(random_)),
      most_workers_(static_cast<std::uint32_t>(limits_.max_workers)),
      pool_(limits_),
      told_size_(limits_.max_workers) {
    pool_.observe();
    note(limits_.min_workers, " to ", limits_.max_workers, " workers of ", limits_.max_tasks,
         " tasks, idle ", limits_.idle_timeout / 1ms, ", age ", limits_.max_age / 1ms, ", window ",
         limits_.max_window, late_answers_ ? ", late" : "", watched_ ? ", watched" : "");
}

void world::live(std::size_t steps) {
    while (steps > 0) {
        if (happen()) {
            --steps;
            ++events_;
            check();
        }
    }
}

std::optional<std::uint32_t> world::some_process() {
    if (processes_.empty()) {
        return std::nullopt;
    }
    const auto index = static_cast<std::uint32_t>(any(processes_.size()));
    return processes_[index].exists() ? std::optional(index) : std::nullopt;
}

// False: it could not happen just now.
bool world::happen() {
    if (chance(submission_)) {
        return open_.size() < most_open && (submit(), true);
    }
    if (chance(60)) {
        return !tasks_.empty() && (cancel_some(), true);
    }
    if (chance(60)) {
        pass_time();
        return true;
    }
    if (chance(shutdown_)) {
        shut_down(static_cast<pool::shutdown_mode>(1 + any(4)));
        return true;
    }
    if (chance(sizes_)) {
        switch (any(5)) {
        case 0:
            return resize(), true;
        case 3:
            if (const std::optional<std::uint32_t> who = some_process()) {
                return ask_to_clean_up(*who), true;
            }
            return false;
        case 1:
            return warm_up(), true;
        case 2:
            return !warm_ups_.empty() && (cancel_warm_up(), true);
        default:
            if (const std::optional<std::uint32_t> who = some_process()) {
                return retire(*who), true;
            }
        }
    }
    const std::optional<std::uint32_t> index = some_process();
    if (!index) {
        return chance(100) && (pass_time(), true);
    }
    sim_process& p = processes_[*index];
    if (p.cleaned && chance(300)) {
        tell_cleaned(*index);
    } else if (!p.answers.empty() && chance(500)) {
        answer(*index, any(p.answers.size()));
    } else if (p.now == life::dead) {
        reap(*index);
    } else if (chance(death_)) {
        switch (any(5)) {
        case 0:
            lie(*index);
            break;
        case 2:
            exceed(*index);
            break;
        case 1:
            crash(*index, chance(800));
            break;
        default:
            die(*index);
        }
    } else if (!p.ring.empty() && chance(300)) {
        drain(*index, chance(500) ? 1 : p.ring.size());
    } else {
        work(*index);
    }
    return true;
}

void world::submit() {
    tasks_.push_back(std::make_unique<sim_task>());
    sim_task& t = *tasks_.back();
    t.id = tasks_.size() - 1;
    t.frame_bytes = any(60);
    t.grace = chance(400) ? 0ms : chance(100) ? pool::no_limit : pool::duration(any(20) * 1ms);
    if (chance(150)) {
        t.run_timeout = static_cast<int>(any(31)) * 1ms - 1ms;
    }
    if (chance(200)) {
        t.deadline = now_ + static_cast<int>(any(62)) * 1ms - 1ms;
    }
    if (chance(priorities_)) {
        t.priority = static_cast<int>(any(7)) - 3;
    }
    if (chance(300)) {
        t.retries = t.allowed = static_cast<unsigned>(any(3));
    }
    if (chance(chunks_)) {
        t.elements = 1 + static_cast<unsigned>(any(4));
    }
    t.hangs = chance(hanging_);
    t.obeys_stop = chance(500);
    t.is_stuck = chance(hanging_ / 5);
    t.kills_readers = accidents_ && chance(10);
    using admission = pool::pool::admission;
    const admission wanted = pool_.shutting_down() != pool::shutdown_mode::none
                                 ? admission::shut_down
                             : pool_.broken()                            ? admission::broken
                             : pool_.look().queued >= limits_.max_queued ? admission::queue_full
                                                                         : admission::accepted;
    const admission got = pool_.submit(t, now_, out_);
    note("submit ", t.id, ": ", got);
    require(got == wanted, "submit lets in what it should");
    if (got != admission::accepted) {
        require(out_.empty() && t.state == pool::task_state::created,
                "a refused task is untouched");
        tasks_.pop_back();
        return;
    }
    ++expected_.submitted;
    t.where = place::queued;
    open_.push_back(&t);
    asked_ = asked_ || t.state != pool::task_state::done;
    perform();
    check_overtaking(t);
}

void world::cancel_some() {
    sim_task* t = tasks_[any(tasks_.size())].get();
    if (!open_.empty() && chance(900)) {
        t = open_[any(open_.size())];
    }
    const auto type = static_cast<pool::cancel_type>(any(3));
    note("cancel ", t->id, " type ", static_cast<int>(type));
    const bool done = t->where == place::done;
    if (!done) {
        t->cancelled = std::max(t->cancelled.value_or(type), type);
    }
    pool_.cancel(*t, type, now_, out_);
    require(!done || out_.empty(), "cancelling a task that is done does nothing");
    perform();
    require(type != pool::cancel_type::terminal || late_answers_ || t->where == place::done ||
                processes_[t->worker].stopping(),
            "terminal cancellation answers at once");
}

void world::shut_down(pool::shutdown_mode mode) {
    note("shut_down ", mode);
    const pool::shutdown_mode before = pool_.shutting_down();
    pool_.shut_down(mode, now_, out_);
    require(pool_.shutting_down() == std::max(before, mode), "a shutdown only becomes stricter");
    perform();
    for (const sim_process& p : processes_) {
        require(mode != pool::shutdown_mode::stop || !p.exists() || p.killed,
                "a pool that is stopped kills every worker");
    }
}

void world::pass_time() {
    const pool::time_point next = pool_.next_tick();
    if (chance(300) && next != pool::never && next > now_) {
        now_ = next;
    } else {
        now_ += any(10) * 1ms;
    }
    if (someone_watches() && (pool_.next_tick() <= now_ || chance(100))) {
        tick();
    }
}

void world::tick() {
    note("tick");
    pool_.tick(now_, out_);
    perform();
    // What the tick's actions brought about may have left an idle worker that nothing wants, or let
    // an old one stay.
    for (int more = 0; limits_.idle_timeout > 0ms && pool_.next_tick() <= now_; ++more) {
        require(more < 3, "after some ticks the next one is later");
        pool_.tick(now_, out_);
        perform();
    }
}

// One step of a process: its hello, or the next thing it does with its tasks.
void world::work(std::uint32_t index) {
    sim_process& p = processes_[index];
    if (p.now == life::unstartable) {
        note("start of ", index, " failed");
        start_failed_ = true;
        p = sim_process{};
        pool_.start_failed(index, errc::spawn_failed, now_, out_);
        perform();
    } else if (p.now == life::starting && !p.launched) {
        note("process of ", index);
        launch(index);
        perform();
    } else if (p.now == life::starting && !p.silent) {
        note("hello of ", index);
        p.now = life::running;
        p.ready = !p.killed;
        pool_.ready(index, now_, out_);
        perform();
    } else if (p.now == life::running && p.running) {
        sim_slot& slot = p.slots[*p.running];
        if (p.returned && slot.subject->is_stuck) {
            return;
        }
        if (p.returned) {
            p.ring.push_back(*p.running);
            p.running.reset();
            p.returned = false;
        } else if (slot.subject->has_rest() && !slot.subject->hangs) {
            ++slot.subject->at;
        } else if (!slot.subject->hangs || (slot.subject->obeys_stop && p.stop_word == p.running)) {
            slot.state = slot_state::finished;
            ++slot.subject->finished;
            p.returned = true;
        }
    } else if (p.is_cleaning()) {
        p.cleaned = !p.cleans_for_ever;
    } else if (p.now == life::running && p.claimed < p.slots.size()) {
        sim_slot& slot = p.slots[p.claimed];
        if (slot.state == slot_state::offered && !p.retires_with && slot.subject->kills_readers) {
            note("worker ", index, " dies when it is to begin ", slot.subject->id);
            // Then it may seem to have died of the result before, or of cleaning up.
            slot.subject->unseen_kills += p.oldest_unsettled() < p.claimed || p.cleans_after;
            require(++slot.subject->killed_readers <=
                        std::max(2u, (limits_.max_failed_starts + 1) / 2) +
                            slot.subject->unseen_kills,
                    "a task that kills its readers is found out");
            p.now = life::dead;
            return;
        }
        if (slot.state == slot_state::offered && !p.retires_with) {
            note("worker ", index, " begins ", slot.subject->id, " as ", p.claimed);
            slot.state = slot_state::begun;
            ++slot.subject->begun;
            require(slot.subject->begun == 1 + slot.subject->ended_runs(),
                    "a task runs again only after the death of its worker");
            require(slot.subject->deaths <= slot.subject->allowed,
                    "a task runs again as often as it may");
            require(slot.subject->where == place::staged, "a task that is over does not begin");
            require(++p.begun <= limits_.max_tasks || limits_.max_tasks == 0,
                    "a worker has no more than max_tasks tasks");
            p.running = p.claimed;
        }
        ++p.claimed;
    } else if (p.now == life::running && p.exit_asked) {
        p.now = life::dead;
    }
}

void world::ask_to_clean_up(std::uint32_t index) {
    sim_process& p = processes_[index];
    if (!p.takes_tasks() || p.cleans_after) {
        return;
    }
    note("clean up ", index);
    p.cleans_after = p.slots.size();
    p.cleans_for_ever = accidents_ && chance(silence_);
    pool_.cleaning(index, now_);
}

void world::tell_cleaned(std::uint32_t index) {
    note("cleaned up: ", index);
    sim_process& p = processes_[index];
    p.cleans_after.reset();
    p.cleaned = false;
    pool_.cleaned(index);
}

void world::drain(std::uint32_t index, std::size_t at_most) {
    if (processes_[index].retires_with && chance(300)) { // told with the reply, or before it
        pool_.retire(index, retire_reason::asked, now_, out_);
        perform(); // there may be more processes
    }
    sim_process& p = processes_[index];
    std::vector<sim_task*> answered;
    std::size_t replies = 0;
    while (replies < at_most && !p.ring.empty()) {
        const std::uint64_t sequence = p.ring.front();
        p.ring.pop_front();
        sim_slot& slot = p.slots[sequence];
        note("reply of ", index, " to ", sequence, " (task ", slot.subject->id, ")");
        require(pool_.owner(index, sequence) ==
                    (slot.subject->where == place::done || slot.disowned ? nullptr : slot.subject),
                "owner() knows who waits");
        slot.settled = true;
        slot.subject->answered = !slot.disowned;
        require(pool_.replied(index, sequence, out_), "an honest reply is taken");
        require(!pool_.replied(index, sequence, out_), "a reply is taken once");
        if (!slot.disowned) {
            answered.push_back(slot.subject);
        }
        ++replies;
    }
    if (p.retires_with && p.slots[*p.retires_with].settled) {
        pool_.retire(index, retire_reason::asked, now_, out_);
    }
    pool_.drained(index, replies, now_, out_);
    perform();
    for (const sim_task* t : answered) {
        require(t->where == place::done, "an answered task is done");
    }
}

void world::die(std::uint32_t index) {
    note("death of ", index);
    sim_process& p = processes_[index];
    if (p.now == life::unstartable) {
        return;
    }
    p.now = life::dead;
}

// The driver has the exit status and has drained everything. What it asked of the slots is answered
// or does not matter any more.
void world::reap(std::uint32_t index) {
    while (!processes_[index].answers.empty() && chance(500)) {
        answer(index, 0);
    }
    if (!processes_[index].ring.empty()) {
        drain(index, processes_[index].ring.size());
    }
    if (!processes_[index].ready && !processes_[index].silent && chance(500)) {
        note("hello of ", index, ", too late");
        if (processes_[index].killed && processes_[index].launched) {
            pool_.ready(index, now_, out_);
            perform();
        }
    }
    note("exit of ", index);
    const sim_process p = std::move(processes_[index]);
    processes_[index] = sim_process{};
    for (const sim_slot& slot : p.slots) {
        if (!slot.settled && !slot.disowned && slot.subject->where == place::staged) {
            slot.subject->where = place::queued;
        }
    }
    expected_.crashed_workers += p.takes_tasks();
    start_failed_ = start_failed_ || (p.begun == 0 && !p.exit_asked && !p.unwanted);
    pool_.exited(
        index,
        !p.ready     ? errc::handshake_failed
        : p.exceeded ? errc::out_of_memory
                     : errc::worker_terminated,
        [&p](std::uint64_t sequence) { return p.slots.at(sequence).told(); }, now_, out_);
    perform();
}

void world::crash(std::uint32_t index, bool handler) {
    sim_process& p = processes_[index];
    if (p.now == life::unstartable) {
        return;
    }
    note("crash of ", index, handler ? " in its handler" : " by protocol");
    if (handler) {
        p.now = life::in_handler;
    }
    if (p.ready && !p.stopping()) {
        ++expected_.crashed_workers;
    }
    p.crash_told = true;
    if (p.now == life::dead && p.claimed < p.slots.size()) {
        ++p.slots[p.claimed].subject->unseen_kills;
    }
    pool_.crashed(index, handler, now_, out_);
    perform();
}

void world::exceed(std::uint32_t index) {
    sim_process& p = processes_[index];
    if (p.now == life::unstartable) {
        return;
    }
    note("too much memory in ", index);
    if (!p.stopping()) {
        p.crash_told = p.exceeded = true;
        pool_.exceeded(index, now_, out_);
        perform();
    }
}

// A reply that nobody asked for: to a task already answered, or to one that was never sent.
void world::lie(std::uint32_t index) {
    const sim_process& p = processes_[index];
    if (p.now == life::unstartable) {
        return;
    }
    std::uint64_t sequence = p.slots.size() + any(3);
    if (!p.slots.empty() && chance(500)) {
        sequence = any(p.slots.size());
        if (!p.slots[sequence].settled) {
            return;
        }
    }
    require(pool_.owner(index, sequence) == nullptr, "nobody waits for a false reply");
    require(!pool_.replied(index, sequence, out_) && out_.empty(), "a false reply is refused");
    crash(index, false);
}

void world::answer(std::uint32_t index, std::size_t which) {
    std::vector<sim_answer>& answers = processes_[index].answers;
    const sim_answer a = answers[which];
    answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(which));
    deliver(index, a);
    perform();
}

// ---- to the end

bool world::can_go_on(const sim_process& p) const {
    if (p.now == life::unstartable || (p.now == life::starting && (!p.launched || !p.silent))) {
        return true;
    }
    if (p.now != life::running) {
        return false;
    }
    if (p.is_cleaning()) {
        return !p.cleans_for_ever;
    }
    if (!p.running) {
        return p.claimed < p.slots.size() || p.exit_asked;
    }
    const sim_task& t = *p.slots[*p.running].subject;
    return p.returned ? !t.is_stuck : !t.hangs || (t.obeys_stop && p.stop_word == p.running);
}

// The next thing that happens by itself; false if nothing does.
bool world::progress(bool end_hanging, pool::time_point until) {
    for (std::uint32_t i = 0; i < processes_.size(); ++i) {
        sim_process& p = processes_[i];
        if (!p.answers.empty()) {
            return answer(i, any(p.answers.size())), true;
        }
        if (!p.ring.empty()) {
            return drain(i, p.ring.size()), true;
        }
        if (p.cleaned && p.now == life::running) {
            return tell_cleaned(i), true;
        }
        if (p.now == life::dead) {
            return reap(i), true;
        }
        if (p.now == life::in_handler && chance(500)) {
            return die(i), true;
        }
        if (p.running && end_hanging) {
            p.slots[*p.running].subject->hangs = false;
            p.slots[*p.running].subject->is_stuck = false;
        }
        if (can_go_on(p)) {
            return work(i), true;
        }
    }
    if (someone_watches() && pool_.next_tick() <= until) {
        now_ = std::max(now_, pool_.next_tick());
        return tick(), true;
    }
    return false;
}

void world::settle() {
    accidents_ = false;
    const std::size_t bound = 2000 + 100 * (open_.size() + processes_.size());
    std::size_t n = 0;
    for (const bool end_hanging : {false, true}) {
        // Workers grow old for as long as a task hangs: that comes to no rest.
        const bool rests = end_hanging || limits_.max_age == pool::no_limit;
        const pool::time_point until = rests ? pool::never - 1ns : now_ + 300ms;
        while (pool_.needs_attention() && progress(end_hanging, until)) {
            ++events_;
            check();
            require(++n < bound, "the pool comes to the end of its tasks");
        }
        if (rests) {
            check_nothing_is_overdue();
        }
    }
    // And then nothing happens for a while, except what watching it brings about.
    const std::uint64_t started = pool_.look().started_workers;
    const pool::time_point since = now_;
    while (progress(true, since + 400ms) || pool_.needs_attention()) {
        check();
        require(++n < 2 * bound, "the pool comes to rest");
    }
    check_no_respawn_loop(started, now_ - since);
    check_rest();
}

void world::end() {
    if (pool_.shutting_down() == pool::shutdown_mode::none) {
        shut_down(static_cast<pool::shutdown_mode>(1 + any(4)));
    }
    settle();
    require(shutdowns_completed_ == 1, "a shutdown completes once");
    require(!pool_.needs_attention() && pool_.next_tick() == pool::never,
            "after a shutdown nothing is awaited");
    for (const std::unique_ptr<sim_task>& t : tasks_) {
        require(t->where == place::done && t->state == pool::task_state::done,
                "after a shutdown every task is done");
    }
}

} // namespace coproc::test
