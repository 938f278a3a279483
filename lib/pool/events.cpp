#include "pool/pool.hpp"

// What is recorded for those who watch. It decides nothing.
namespace coproc::pool {

// For the first time; afterwards it is stopping.
void pool::crashed_now(worker& w) {
    ++crashed_workers_;
    tell(event_kind::worker_crashed, w);
}

event& pool::record(event_kind kind, const worker& w) {
    return events_.emplace_back(event{.kind = kind,
                                      .retired = w.retired,
                                      .killed = w.killed,
                                      .worker = index_of(w),
                                      .slot = w.slot,
                                      .number = w.number});
}

// While the task is staged, its worker is the one that has it or had it last; one that waits has
// none.
void pool::record_done(task& t, errc code, certainty how_certain) {
    event& e = t.state == task_state::staged
                   ? record(event_kind::done, workers_[t.worker])
                   : events_.emplace_back(event{.kind = event_kind::done});
    e.code = code;
    e.how_certain = how_certain;
    e.subject = &t;
}

} // namespace coproc::pool
