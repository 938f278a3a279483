#pragma once

#include <sys/types.h>

namespace coproc::worker {

/// Signals as a worker takes them.
///
/// When the parent process has died, the worker and its whole process group die at once, unless the
/// task blocks all signals; also if it had died before this call. SIGINT does nothing. SIGTERM,
/// SIGHUP and SIGQUIT count only from the parent: service managers send them to all processes of a
/// service, and it is the parent who decides what its workers do. SIGPIPE keeps the default that
/// spawn() gave it. Children that a task starts have none of this: they see the default
/// dispositions, those that are only forked behave as if they did.
///
/// Call it once, when the process is known to be a worker of `parent`.
void install_worker_signals(pid_t parent);

} // namespace coproc::worker
