#!/usr/bin/env python3
"""Checks the tables of tests in docs/loky.md: each of loky's tests has a row, and each name in quotes
there is that of a test case.

usage: check_test_names.py docs/loky.md tests
"""
import pathlib
import re
import sys

# loky's tests of CPUs, of processes, of the module and what processes share, of the ends of
# executors, of executors, of the reusable one, of waiting and of futures that are not about Python
# alone. Of test_synchronize.py the whole file is one.
LOKY = """
    cpu_count windows_max_cpu_count cpu_count_os_sched_getaffinity cpu_count_psutil_affinity
    cpu_count_cgroup_limit cpu_count_cgroup_invalid_content only_physical_cores_error
    only_physical_cores_with_user_limitation child_env_process recursion kill_process_tree
    current daemon_argument process active_children terminate sentinel wait_sentinel
    sync_object_handling compatibility_openmp socket socket_queue connection connection_queue
    interactively_define_process_no_main interactively_define_process_fail_main
    interactive_contex_no_main loky_get_context default_subcontext

    version resource_utils resource_tracker resource_tracker_refcounting resource_tracker_sigint
    resource_tracker_sigterm resource_tracker_sigkill child_retrieves_resource_tracker
    loky_process_inherit_multiprocessing_resource_tracker synchronize
    error_in_nested_call_keeps_resource_tracker_silent isolated_pickler_dispatch_tables
    set_loky_pickler set_loky_pickler_failures

    run_after_shutdown shutdown_with_pickle_error shutdown_with_sys_exit_at_pickle
    shutdown_deadlock_pickle hang_issue12364 processes_terminate processes_terminate_on_executor_gc
    processes_crash_handling_after_executor_gc context_manager_shutdown del_shutdown
    shutdown_no_wait shutdown_and_kill_workers

    first_completed first_completed_some_already_completed first_exception
    first_exception_some_already_complete first_exception_one_already_failed all_completed timeout
    no_timeout zero_timeout duplicate_futures submit map map_exception map_timeout map_chunksize
    shutdown_race_issue12456 no_stale_references max_workers_negative killed_child exited_child
    traceback thread_safety submit_from_callback worker_timeout serialization max_depth
    no_failure_on_large_data_send memory_leak_protection child_env_executor viztracer_profiler
    no_deprecation_warning_is_raised_on_fork done_callback_with_result
    done_callback_with_exception done_callback_with_cancel done_callback_raises
    done_callback_already_successful done_callback_already_failed done_callback_already_cancelled
    repr cancel cancelled done running result_with_timeout result_with_success result_with_cancel
    exception_with_timeout exception_with_success

    crashes in_callback_submit_with_crash callback_crash_on_submit deadlock_kill crash_races
    imap_handle_iterable_exception queue_full_deadlock informative_error_when_fail_at_unpickle
    shutdown_kill shutdown_deadlock kill_workers_on_new_options call_item_gc_crash_or_exit
    sigkill_shutdown_leaks_workers reusable_executor_resize reusable_executor_resize_many_times
    kill_after_resize_call resize_after_timeout invalid_process_number invalid_context
    pass_start_method_name_as_context reused_flag no_deadlock_on_nested_reusable_exector
    compat_with_concurrent_futures_exception reusable_executor_thread_safety
    reusable_executor_submit_during_shutdown_race
    reusable_executor_submit_with_concurrent_env_changes reusable_executor_reuse_true
    no_crash_on_stdin_access_in_child_subprocess_run faulthandler_enabled
    reusable_executor_queue_size reusable_initializer no_crash_max_workers_on_windows
    worker_timeout_mock worker_timeout_with_slowly_pickling_objects
    worker_timeout_shutdown_no_deadlock interpreter_shutdown hang_issue39205
    numpy_dot_parent_and_child_no_freeze
""".split()

page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
sources = [path.read_text(encoding="utf-8") for path in pathlib.Path(sys.argv[2]).rglob("*.cpp")]

# A long name is written as several literals.
literals = r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)'
cases = {
    "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', name)).replace('\\"', '"')
    for source in sources
    for name in re.findall(literals, source)
}

wrong = []
if len(cases) < 100:
    wrong.append(f"only {len(cases)} test cases found")
tables = page[page.index("\n## loky's tests\n"):]
rows = re.findall(r"^\| (?!---)(.*) \| (?!here)(.*) \|$", tables, re.M)
told = []
quoted = 0
for theirs, ours in rows:
    their_names = re.findall(r"`test_(\w+)(?:\.py)?`", theirs)
    our_names = re.findall(r'"([^"]+)"', ours)
    told += their_names
    quoted += len(our_names)
    wrong += [f"no test is named {name!r}" for name in our_names if name not in cases]
    if not our_names and len(ours) < 20:
        wrong.append(f"{theirs}: neither a test nor a reason")
if sorted(told) != sorted(LOKY):
    wrong.append(f"rows missing or too many: {sorted(set(told) ^ set(LOKY)) or 'some twice'}")
if quoted < 50:
    wrong.append(f"only {quoted} names found")
for line in wrong:
    print(line)
sys.exit(bool(wrong))
